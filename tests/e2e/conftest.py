"""One running Valv for all the walks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.support.live import Live

TOLD_LINES = 40
HOW = "no Chromium: apt install chromium (Debian), or set VALV_CHROMIUM to a Chromium or Chrome binary"


def _chromium() -> str:
    found = os.environ.get("VALV_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        if os.environ.get("VALV_REQUIRE_BROWSER"):
            pytest.fail(HOW)
        pytest.skip(HOW)
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real browser, shared by a file's tests."""
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=_chromium(), args=arguments)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """The whole of Valv, shared: tests that stop a process start it again."""
    made = Live(tmp_path_factory.mktemp("valv"))
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Shows beside a failed walk what the processes complained about last."""
    report = yield
    made = getattr(item, "funcargs", {}).get("live")
    if report.failed and isinstance(made, Live):
        report.sections.append(("what the processes complained about", "\n".join(made.complaints(TOLD_LINES))))
    return report
