"""Owns the list clause -> tests -> result that `make clauses` prints from @pytest.mark.clause("P13", "ASVS 11.3.3").

Counts what ran, nothing else: a clause whose tests were skipped is not proven. What is asked for is docs/clauses.toml;
what is asked for and not proven is printed last.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

RESULTS = ("failed", "error", "skipped", "passed")
LIST = Path(__file__).resolve().parents[2] / "docs" / "clauses.toml"
_REASONS = ("not_applicable", "open")


@dataclass(frozen=True)
class Clauses:
    """What is asked for."""

    titles: Mapping[str, str]
    not_applicable: Mapping[str, str]
    """Clause -> why."""
    open: Mapping[str, str]
    """Clause -> what of it is known to be missing, whether or not some of it is tested."""


def read() -> Clauses:
    """Return the list."""
    tables = tomllib.loads(LIST.read_text("utf-8"))
    not_applicable, still_open = (tables.pop(name) for name in _REASONS)
    promises = tables.pop("P")
    numbered = {f"{name} {number}": title for name, table in tables.items() for number, title in table.items()}
    return Clauses(promises | numbered, not_applicable, still_open)


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
    listed = read()
    terminalreporter.section("clauses")
    for clause in sorted(proofs, key=_natural):
        terminalreporter.line(f"{clause}  {listed.titles.get(clause, 'NOT IN docs/clauses.toml')}")
        for test, result in sorted(proofs[clause].items()):
            terminalreporter.line(f"  {result:8}{test}")
    for line in verdicts(listed, proofs):
        terminalreporter.line(line)


def verdicts(listed: Clauses, proofs: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return what no passing test proves, what is known to be missing, and how many there are of each."""
    states = {clause: _state(listed, clause, set(proofs.get(clause, {}).values())) for clause in listed.titles}
    lines: list[str] = []
    for state in ("not met", "met but for", "not applicable"):
        chosen = sorted((clause for clause in states if states[clause] == state), key=_natural)
        lines += ["", f"{state}: {len(chosen)}"]
        reasons = {**listed.open, **listed.not_applicable}
        for clause in chosen:
            reason = reasons.get(clause, "failed" if proofs.get(clause) else "no test")
            lines.append(f"  {clause}  {listed.titles[clause]} ({reason})")
    counts = Counter((_family(listed, clause), state) for clause, state in states.items())
    lines.append("")
    for family in sorted({family for family, _ in counts}):
        lines.append(f"{family}: " + ", ".join(f"{counts[family, one]} {one}" for one in STATES if counts[family, one]))
    return lines


STATES = ("met", "met but for", "not met", "not applicable")


def _state(listed: Clauses, clause: str, results: set[str]) -> str:
    if clause in listed.not_applicable:
        return "not applicable"
    if "passed" not in results or results & {"failed", "error"}:
        return "not met"
    return "met but for" if clause in listed.open else "met"


def _family(listed: Clauses, clause: str) -> str:
    level = re.match(r"L[123]\b", listed.titles[clause])
    standard = clause.rpartition(" ")[0] or "promises"
    return f"{standard} {level[0]}" if level else standard


def _natural(clause: str) -> list[tuple[int, str]]:
    """Sorts P2 before P10."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", clause)]
