"""The reconciliation: what each producer says of its outbox, once a day, against what the log holds of it.

Owns the comparison. A record that was removed from an outbox before it was sent, or from the log afterwards, or that
only one of the two has, makes the two disagree. The gateway has no outbox: it waits for the log's answer each time.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from hashlib import sha256
from hmac import compare_digest
from typing import Protocol

from services.audit.practices import stale
from services.audit.store import Statement
from services.kit.checks import UnknownError
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


class Reconciliation:
    """Compares the books."""

    def __init__(self, books: Books, clock: Clock) -> None:
        """Take the books."""
        self._books, self._clock = books, clock

    async def disagreeing(self) -> int:
        """Return how many producers' outboxes disagree with the log.

        Raises:
            UnknownError: None does, but one has made no statement, or none lately.
        """
        statements = await self._books.statements()
        disagreeing = 0
        for producer, statement in statements.items():
            disagreeing += await self._disagrees(producer, statement)
        if not disagreeing and not all(self._recent(producer, statements) for producer in PRODUCERS):
            raise UnknownError
        return disagreeing

    async def _disagrees(self, producer: str, statement: Statement) -> bool:
        digest, count = sha256(), 0
        async for event in self._books.ids(producer, statement.epoch, statement.count, statement.number):
            digest.update(event.encode())
            count += 1
        return count != statement.count or not compare_digest(digest.hexdigest(), statement.digest)

    def _recent(self, producer: str, statements: Mapping[str, Statement]) -> bool:
        age = None if producer not in statements else self._clock.now() - statements[producer].time
        return age is not None and -_AHEAD < age <= stale(PRACTICES[f"{producer}.statement"])
