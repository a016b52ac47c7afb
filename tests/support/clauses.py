"""Owns the list clause -> tests -> result that `make clauses` prints from @pytest.mark.clause("P13", "ASVS 11.3.3").

Counts what ran, nothing else: a clause whose tests were skipped is not proven.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Generator

import pytest

RESULTS = ("failed", "error", "skipped", "passed")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds --clauses."""
    parser.addoption("--clauses", action="store_true", help="print clause, tests and result at the end")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Writes the clauses of a test on its report, the one thing that workers send home."""
    report = yield
    report.user_properties += [("clause", clause) for mark in item.iter_markers("clause") for clause in mark.args]
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Prints the list when asked to."""
    if not config.getoption("clauses"):
        return
    proofs: dict[str, dict[str, str]] = defaultdict(dict)
    for result in reversed(RESULTS):
        for report in terminalreporter.stats.get(result, []):
            for name, clause in getattr(report, "user_properties", ()):
                if name == "clause":
                    proofs[clause][report.nodeid] = result
    terminalreporter.section("clauses")
    for clause in sorted(proofs, key=_natural):
        terminalreporter.line(clause)
        for test, result in sorted(proofs[clause].items()):
            terminalreporter.line(f"  {result:8}{test}")


def _natural(clause: str) -> list[tuple[int, str]]:
    """Sorts P2 before P10."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", clause)]
