from __future__ import annotations

import sys

import pytest

from tests.architecture import tcb

LIST = tcb.read()


@pytest.mark.clause("P6", "P11", "P13")
@pytest.mark.parametrize("name", LIST)
def test_the_published_list_is_what_runs(name: str) -> None:
    stale = "deploy/tcb.toml is stale: run make tcb and look at what it changes"
    assert tcb.measured(name, LIST[name]) == LIST[name], stale


@pytest.mark.clause("P6", "P11", "P13")
@pytest.mark.parametrize("name", LIST)
def test_the_trusted_computing_base_does_not_grow(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    process = LIST[name]
    with capsys.disabled():
        sys.stdout.write(f"\n{tcb.size(name, process)}")
    assert tcb.lines(process) <= process.lines_at_most


def test_the_published_page_says_what_the_list_says() -> None:
    assert tcb.PAGE.read_text("utf-8") == tcb.document(), "run make tcb"


def test_who_can_see_a_password_is_on_the_list() -> None:
    assert {"auth", "envoy", "gateway", "billing", "files"} == set(LIST)
