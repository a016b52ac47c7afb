"""Which bytes an answer carries (RFC 9110, 13 and 14)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.files.errors import RANGE_NOT_SATISFIABLE
from services.files.ranges import Selection, select
from services.kit.faults import Fault

TAG = '"abc"'


def ask(
    size: int, wanted: str | None = None, if_none_match: str | None = None, if_range: str | None = None
) -> Selection:
    return select(size, TAG, wanted=wanted, if_none_match=if_none_match, if_range=if_range)


@pytest.mark.parametrize(
    "wanted, start, stop",
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, 100),
        ("bytes=99-", 99, 100),
        ("bytes=10-19", 10, 20),
        ("bytes=10-1000", 10, 100),
        ("bytes=-1", 99, 100),
        ("bytes=-100", 0, 100),
        ("bytes=-1000", 0, 100),
        ("BYTES=5-6", 5, 7),
        ("bytes= 5-6 ", 5, 7),
    ],
)
def test_one_range_is_served(wanted: str, start: int, stop: int) -> None:
    assert ask(100, wanted) == Selection(206, start, stop)  # type: ignore[arg-type]  # the test hands over what types forbid, or a stand-in


@pytest.mark.parametrize("wanted", [None, "bytes=0-1,5-6", "bytes=0-1, 5-6", "lines=0-1", "nonsense", "bytes 0-1"])
def test_anything_else_gets_the_whole(wanted: str | None) -> None:
    assert ask(100, wanted) == Selection(200, 0, 100)  # type: ignore[arg-type]  # the test hands over what types forbid, or a stand-in


@pytest.mark.parametrize(
    "wanted",
    [
        "bytes=100-",
        "bytes=100-200",
        "bytes=-0",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=5-4",
        "bytes=0x1-2",
        "bytes=1",
    ],
)
def test_wrong_ranges_are_refused(wanted: str) -> None:
    with pytest.raises(Fault) as caught:
        ask(100, wanted)
    assert caught.value.reason is RANGE_NOT_SATISFIABLE


def test_an_empty_file_has_no_ranges() -> None:
    assert ask(0) == Selection(200, 0, 0)  # type: ignore[arg-type]  # the test hands over what types forbid, or a stand-in
    assert ask(0, "bytes=-5") == Selection(200, 0, 0)  # type: ignore[arg-type]  # the test hands over what types forbid, or a stand-in
    with pytest.raises(Fault):
        ask(0, "bytes=0-")


@pytest.mark.parametrize("tags", ['"abc"', 'W/"abc"', '"x", "abc"', "*", ' "abc" '])
def test_what_the_client_has_is_not_sent(tags: str) -> None:
    assert ask(100, "bytes=0-5", if_none_match=tags).status == 304


@pytest.mark.parametrize("tags", ['"ab"', "abc", '"x", "y"', ""])
def test_what_the_client_has_not_is_sent(tags: str) -> None:
    assert ask(100, if_none_match=tags).status == 200


@pytest.mark.parametrize(
    "condition, status", [(TAG, 206), ('"old"', 200), ('W/"abc"', 200), ("Sun, 22 Nov 2026 12:00:00 GMT", 200)]
)
def test_if_range_holds_only_for_the_very_same_file(condition: str, status: int) -> None:
    assert ask(100, "bytes=0-5", if_range=condition).status == status


@settings(deadline=None)
@given(st.integers(0, 1000), st.text(max_size=30))
def test_no_header_breaks_it(size: int, wanted: str) -> None:
    try:
        found = ask(size, "bytes=" + wanted)
    except Fault:
        return
    assert 0 <= found.start <= found.stop <= size
