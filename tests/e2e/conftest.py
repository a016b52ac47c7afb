"""One running Valv for all the walks."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from tests.support.live import Live

TOLD_LINES = 40


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
