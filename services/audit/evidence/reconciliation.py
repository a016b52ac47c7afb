"""The reconciliation: what each producer says of its outbox, once a day, against what the log holds of it.

Owns the comparison. A record that was removed from an outbox before it was sent, or from the log afterwards, or that
only one of the two has, makes the two disagree. The gateway has no outbox: it waits for the log's answer each time.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from hashlib import sha256
from hmac import compare_digest
from typing import Protocol

from services.audit.practices import stale
from services.audit.store import Statement
from services.kit.checks import BROKEN, KEPT, UNKNOWN, Finding, UnknownError
from services.kit.clock import Clock
from services.kit.practices import PRACTICES

CHECK = "audit.reconciliation"
PRODUCERS = tuple(practice.role for name, practice in PRACTICES.items() if name.endswith(".statement"))
_AHEAD = timedelta(minutes=5)


class Books(Protocol):
    """What the log holds, and what producers say."""

    async def statements(self) -> Mapping[str, Statement]:
        """Return each producer's latest statement."""

    def ids(self, producer: str, epoch: str, count: int, number: int) -> AsyncIterator[str]:
        """Yield the ids of at most `count` events of an epoch, from `number` down."""


class Verdict(StrEnum):
    """What the comparison with a producer's statement found."""

    AGREES = "agrees"
    DIFFERS = "differs"
    OLD = "old"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Balance:
    """A producer's statement, None when it never made one, and how many of its records the log holds."""

    producer: str
    verdict: Verdict
    statement: Statement | None = None
    held: int = 0


class Reconciliation:
    """Compares the books."""

    def __init__(self, books: Books, clock: Clock) -> None:
        """Take the books."""
        self._books, self._clock = books, clock

    async def balances(self) -> list[Balance]:
        """Compare with each producer's latest statement."""
        statements = await self._books.statements()
        return [await self._balance(name, statements.get(name)) for name in sorted({*PRODUCERS, *statements})]

    async def disagreeing(self) -> int:
        """Return how many producers' outboxes disagree with the log.

        Raises:
            UnknownError: None does, but one has made no statement, or none lately.
        """
        finding = found(await self.balances())
        if finding.measured is None:
            raise UnknownError
        return finding.measured

    async def _balance(self, producer: str, statement: Statement | None) -> Balance:
        if statement is None:
            return Balance(producer, Verdict.SILENT)
        digest, held = sha256(), 0
        async for event in self._books.ids(producer, statement.epoch, statement.count, statement.number):
            digest.update(event.encode())
            held += 1
        if held != statement.count or not compare_digest(digest.hexdigest(), statement.digest):
            return Balance(producer, Verdict.DIFFERS, statement, held)
        recent = producer not in PRODUCERS or self._recent(producer, statement)
        return Balance(producer, Verdict.AGREES if recent else Verdict.OLD, statement, held)

    def _recent(self, producer: str, statement: Statement) -> bool:
        return -_AHEAD < self._clock.now() - statement.time <= stale(PRACTICES[f"{producer}.statement"])


def found(balances: Sequence[Balance]) -> Finding:
    """Return what the balances mean for the promise: one that differs breaks it, one not known leaves it open."""
    differing = sum(each.verdict is Verdict.DIFFERS for each in balances)
    practice = PRACTICES[CHECK]
    if not differing and any(each.verdict is not Verdict.AGREES for each in balances):
        return Finding(CHECK, UNKNOWN, None, practice.threshold)
    state = KEPT if practice.holds(differing, practice.threshold) else BROKEN
    return Finding(CHECK, state, differing, practice.threshold)
