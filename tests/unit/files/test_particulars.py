"""Names and media types: any Unicode name, no control characters, nothing that could become a header or a path."""

from __future__ import annotations

import re

import pytest
from aiohttp.multipart import content_disposition_filename, parse_content_disposition
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.files.cobblestone import DamagedError
from services.files.particulars import UNKNOWN_TYPE, Particulars
from services.kit.faults import Fault

names = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=255)


@settings(deadline=None)
@given(names)
def test_any_name_is_kept(name: str) -> None:
    about = Particulars.parse(name, "image/png")
    assert Particulars.decode(about.encode()) == about
    assert about.display_name == name


@pytest.mark.clause("ASVS 5.4.2")
@settings(deadline=None)
@given(names)
@example("/")
@example("..\\a/b")
def test_any_name_makes_one_valid_header(name: str) -> None:
    header = Particulars(name, "image/png").disposition
    assert header.isascii()
    assert header.isprintable()
    assert header.startswith("attachment; filename")
    kind, parameters = parse_content_disposition(header)
    assert kind == "attachment"
    assert content_disposition_filename(parameters, "filename") == re.sub(r"[/\\]", "_", name)


@pytest.mark.parametrize("name", ["", "x" * 256, "a\nb", "a\x00", "\x7f", "\x85", "\ud800", "a\r\nSet-Cookie: b"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(Fault) as caught:
        Particulars.parse(name, "")
    assert caught.value.field == "display_name"


@pytest.mark.parametrize(
    "header, media_type",
    [
        ("text/plain", "text/plain"),
        ("Text/HTML; charset=utf-8", "text/html"),
        ("application/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.text"),
        ("", UNKNOWN_TYPE),
        ("text", UNKNOWN_TYPE),
        ("text/", UNKNOWN_TYPE),
        ("text/plain, text/html", UNKNOWN_TYPE),
        ("text/pl ain", UNKNOWN_TYPE),
        ("x/" + "y" * 128, UNKNOWN_TYPE),
    ],
)
def test_a_media_type_is_a_token_pair(header: str, media_type: str) -> None:
    assert Particulars.parse("a", header).media_type == media_type


@pytest.mark.parametrize("data", [b"", b"\x02\x00\x00\x00\x00", b"\x01\x00\x05\x00\x00ab", b"\x01\x00\x01\x00\x00abc"])
def test_a_broken_encoding_is_refused(data: bytes) -> None:
    with pytest.raises(DamagedError):
        Particulars.decode(data)
