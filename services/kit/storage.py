"""What a process with a database does beside serving: ships its outbox, counts refusals into it, checks both.

Owns which part gets which other part, and what each check of a store measures. Looks at its own database only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from services.kit.checks import CHECK_ACTION, Check, describe
from services.kit.clock import milliseconds
from services.kit.completeness import Comparison, Statement
from services.kit.refusals import Refusals
from services.kit.relay import Relay
from services.kit.shipping import AuditSender

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from typing import Any

    from services.kit.checks import Finding
    from services.kit.clock import Clock
    from services.kit.main import Runtime
    from services.kit.outbox import Outbox
    from services.kit.shipping import Sender
    from services.kit.store_leaks import StoreSearch

_CLOCKS = {
    "sqlite": "SELECT (julianday('now') - 2440587.5) * 86400000",
    "postgresql": "SELECT extract(epoch FROM clock_timestamp()) * 1000",
}


class Storage:
    """A process's outbox and all that belongs to it."""

    def __init__(self, runtime: Runtime, outbox: Outbox, search: StoreSearch, sender: Sender | None = None) -> None:
        """Take the outbox, what searches its database, and the way to the log, if it is not the usual one."""
        self.outbox = outbox
        self.refusals = Refusals(outbox, runtime.clock, runtime.log)
        self._runtime, self._search = runtime, search
        sender = sender or AuditSender(runtime.channels)
        self._relay = Relay(outbox, sender, runtime.clock, runtime.ids, runtime.log)

    def work(self) -> list[Coroutine[Any, Any, None]]:
        """Return what runs beside the service."""
        return [self._relay.run(), self.refusals.run()]

    def checks(self) -> Iterator[Check]:
        """Yield the live checks."""
        return of_store(self._runtime.role, self.outbox, self._search, self._runtime.clock)

    async def found(self, finding: Finding) -> None:
        """Record what a check found."""
        event = self.outbox.event(CHECK_ACTION)
        describe(event, finding, self._runtime.role)
        await self.outbox.record(event)

    async def close(self) -> None:
        """Write what is waiting."""
        await self.refusals.close()
        await self.outbox.close()


def of_store(role: str, outbox: Outbox, search: StoreSearch, clock: Clock) -> Iterator[Check]:
    """Yield the checks of a process with a database."""
    database = outbox.database

    async def difference() -> int:
        async with database.read() as connection:
            before = milliseconds(clock.now())
            theirs = int((await connection.execute(text(_CLOCKS[database.dialect]))).scalar_one())
            after = milliseconds(clock.now())
        return max(before - theirs, theirs - after, 0)  # within the time that asking took they may agree

    yield Check(f"{role}.outbox", Comparison(outbox).differences)
    yield Check(f"{role}.statement", Statement(role, outbox, clock).state)
    yield Check(f"{role}.clock", difference)
    yield Check(f"{role}.card_numbers_in_store", search.cards)
    yield Check(f"{role}.secrets_in_store", search.secrets)
