"""The clauses that tests carry are asked for (docs/clauses.toml): none is misspelt, none is called not applicable."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.repository import ROOT, tracked
from tests.support import clauses

LISTED = clauses.read()


def _carried() -> Iterator[tuple[str, str]]:
    for name in tracked():
        if name.startswith("tests/") and name.endswith(".py"):
            for node in ast.walk(ast.parse((ROOT / name).read_text("utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "clause":
                    yield from ((name, str(one.value)) for one in node.args if isinstance(one, ast.Constant))


CARRIED = sorted(_carried())


def test_every_clause_of_a_test_is_listed() -> None:
    assert len(CARRIED) > 200, "the search finds nothing: it is broken"
    unknown = [(name, clause) for name, clause in CARRIED if clause not in LISTED.titles]
    assert unknown == [], "a misspelt clause, or one to add to docs/clauses.toml"


def test_what_is_not_applicable_has_no_test() -> None:
    assert [(name, clause) for name, clause in CARRIED if clause in LISTED.not_applicable] == []


@pytest.mark.parametrize("kind", ["not_applicable", "open"])
def test_a_reason_belongs_to_a_listed_clause(kind: str) -> None:
    reasons = getattr(LISTED, kind)
    assert set(reasons) <= set(LISTED.titles)
    assert all(len(reason) > 10 for reason in reasons.values())


def test_every_promise_is_listed() -> None:
    assert {clause for clause in LISTED.titles if clause.startswith("P") and " " not in clause} == {
        f"P{number}" for number in range(1, 16)
    }


def test_what_is_printed_last_is_what_no_passing_test_proves() -> None:
    listed = clauses.Clauses(
        {"P1": "one", "P2": "two", "P3": "three", "P4": "four", "P5": "five"}, {"P4": "none here"}, {"P5": "partly"}
    )
    proofs = {"P1": {"a": "passed"}, "P2": {"a": "passed", "b": "failed"}, "P5": {"a": "passed"}}
    lines = clauses.verdicts(listed, proofs)
    first, second, third = (lines.index(line) for line in ("not met: 2", "met but for: 1", "not applicable: 1"))
    assert lines[first + 1 : first + 3] == ["  P2  two (failed)", "  P3  three (no test)"]
    assert lines[second + 1] == "  P5  five (partly)"
    assert lines[third + 1] == "  P4  four (none here)"
    assert lines[-1] == "promises: 1 met, 1 met but for, 2 not met, 1 not applicable"
