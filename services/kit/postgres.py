"""Owns how PostgreSQL is reached from the event loop: a psycopg connection that is never waited for without end.

A server that hangs keeps its connections open and says nothing: TCP sees nothing wrong, and psycopg waits, also for the
end of what it gave up. Here each exchange (a statement, a commit, a rollback, the pool's ping) has its time; then the
connection is closed, which tells the pool that it and its older ones are no good. Must never change what a statement or
a transaction means: whoever was cut off in a commit knows no more about it than after a cut line.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg.waiting import wait_async

from services.kit import context

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg.abc import PQGen

T = TypeVar("T")
CANCEL_SECONDS = 0.5
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Patience:
    """How many seconds a database is waited for: for a connection of the pool that answers, then for each answer."""

    connection: float
    answer: float


AWAITED = Patience(connection=1.5, answer=2.0)
"""While somebody waits. A call meets a hanging database at most twice: in the statement that hangs, and when its
refusal is to be recorded. Both, each with asking the server to cancel, take 4.5 s."""
ALONE = Patience(connection=10.0, answer=30.0)
"""What a service does by itself may sweep, count and prune for longer."""


def patience() -> Patience:
    """Return what holds for what is being done."""
    return AWAITED if context.awaited.get() else ALONE


class Connection(psycopg.AsyncConnection[Any]):
    """A connection that gives up on a server that says nothing."""

    patience: Callable[[], Patience] = staticmethod(patience)

    async def wait(self, gen: PQGen[T], interval: float = _POLL_SECONDS, timeout: float | None = None) -> T:  # noqa: ASYNC109 - psycopg's signature
        """Do one exchange with the server.

        Raises:
            psycopg.OperationalError: It has not answered in time, or anything else is wrong; the connection is closed.
        """
        try:
            async with asyncio.timeout(self.patience().answer):
                return await wait_async(gen, self.pgconn.socket, interval=interval, timeout=timeout)
        except TimeoutError:
            await self._give_up()
            message = "the server does not answer"
            raise psycopg.OperationalError(message) from None
        except asyncio.CancelledError:
            await self._give_up()
            raise

    async def _give_up(self) -> None:
        """Ask the server to stop, in case it is only slow, and close the connection."""
        try:
            with suppress(psycopg.Error, TimeoutError):
                async with asyncio.timeout(CANCEL_SECONDS):
                    await self.cancel_safe(timeout=CANCEL_SECONDS)
        finally:
            self.pgconn.finish()
