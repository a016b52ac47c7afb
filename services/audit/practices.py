"""The promises P1..P15 as the log knows them: each with its live checks (`services.kit.practices`) and their state.

Owns the judgement. Never runs a check of another service; it only reads what the log holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from services.audit.store import Evidence
from services.kit.checks import BROKEN, KEPT
from services.kit.practices import PRACTICES
from services.kit.practices import Practice as Check

LATE = 2
"""A result older than so many periods is none."""
_MARGIN = timedelta(minutes=5)


class State(IntEnum):
    """State of a check or promise, from best to worst."""

    NO_CHECK = 0
    KEPT = 1
    UNKNOWN = 2
    BROKEN = 3


@dataclass(frozen=True, slots=True)
class Result:
    """A check's state now, with its latest evidence."""

    check: Check
    state: State
    evidence: Evidence | None


@dataclass(frozen=True, slots=True)
class Practice:
    """A promise, its state, and the results that make it."""

    promise: str
    state: State
    results: tuple[Result, ...]


PROMISES: Mapping[str, tuple[Check, ...]] = {
    f"P{number}": tuple(check for check in PRACTICES.values() if check.promise == f"P{number}")
    for number in range(1, 16)
}
_STATES = {KEPT: State.KEPT, BROKEN: State.BROKEN}


def owns(producer: str, check: str) -> bool:
    """Tell whether `check` is in the table and `producer` is the one that reports it."""
    return check in PRACTICES and PRACTICES[check].role == producer


def judge(evidence: Mapping[str, Evidence], now: datetime) -> list[Practice]:
    """Return every promise with the worst state among its checks."""
    practices = []
    for promise, checks in PROMISES.items():
        results = tuple(_result(check, evidence.get(check.name), now) for check in checks)
        state = max((result.state for result in results), default=State.NO_CHECK)
        practices.append(Practice(promise, state, results))
    return practices


def stale(check: Check) -> timedelta:
    """Return how old a result of the check may be."""
    return LATE * check.period + _MARGIN


def _result(check: Check, evidence: Evidence | None, now: datetime) -> Result:
    if evidence is None:
        return Result(check, State.NO_CHECK if check.optional else State.UNKNOWN, None)
    if now - evidence.time > stale(check):
        return Result(check, State.UNKNOWN, evidence)
    return Result(check, _STATES.get(evidence.finding.state, State.UNKNOWN), evidence)
