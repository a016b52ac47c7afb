"""The promises P1..P15 and the live checks that back each.

Owns the table of checks: which promise each backs, how often it runs, and which producer may report it (the one its
name begins with). Never runs a check of another service; it only reads what the log holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from services.audit.store import Evidence

HOUR = timedelta(hours=1)


class State(IntEnum):
    """State of a check or promise, from best to worst."""

    NO_CHECK = 0
    KEPT = 1
    UNKNOWN = 2
    BROKEN = 3


@dataclass(frozen=True, slots=True)
class Check:
    """A live check and how often it runs at least."""

    name: str
    period: timedelta = HOUR


@dataclass(frozen=True, slots=True)
class Result:
    """A check's state now, with its latest evidence."""

    check: str
    state: State
    evidence: Evidence | None


@dataclass(frozen=True, slots=True)
class Practice:
    """A promise, its state, and the results that make it."""

    promise: str
    state: State
    results: tuple[Result, ...]


PROMISES: Mapping[str, tuple[Check, ...]] = {
    "P1": (),
    "P2": (),
    "P3": (Check("gateway.listeners"),),
    "P4": (),
    "P5": (Check("audit.gaps"), Check("audit.checkpoint_age")),
    "P6": (Check("auth.password_parameters"),),
    "P7": (Check("auth.longest_idle_session"),),
    "P8": (Check("auth.revoked_sessions_validate"),),
    "P9": (),
    "P10": (Check("auth.links_without_consent"),),
    "P11": (Check("billing.card_numbers_in_store"),),
    "P12": (Check("billing.gateway_tls"),),
    "P13": (Check("files.ciphertext_at_rest"),),
    "P14": (),
    "P15": (),
}
_NAMES = frozenset(check.name for checks in PROMISES.values() for check in checks)


def owns(producer: str, check: str) -> bool:
    """Tell whether `check` is in the table and `producer` is the one that reports it."""
    return check in _NAMES and check.partition(".")[0] == producer


def judge(evidence: Mapping[str, Evidence], now: datetime) -> list[Practice]:
    """Return every promise with the worst state among its checks."""
    practices = []
    for promise, checks in PROMISES.items():
        results = tuple(_result(check, evidence.get(check.name), now) for check in checks)
        state = max((result.state for result in results), default=State.NO_CHECK)
        practices.append(Practice(promise, state, results))
    return practices


def _result(check: Check, evidence: Evidence | None, now: datetime) -> Result:
    if evidence is None or now - evidence.finding.time > 2 * check.period:
        return Result(check.name, State.UNKNOWN, evidence)
    states = {"kept": State.KEPT, "broken": State.BROKEN}
    return Result(check.name, states.get(evidence.finding.state, State.UNKNOWN), evidence)
