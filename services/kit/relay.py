"""Owns the way from an outbox to the audit log: leased, gapless, at least once, replayable for 14 days.

A record is (producer, epoch, number). The relay numbers committed rows in order, ships them, and forgets nothing
until the log has answered with the highest number it holds. A new epoch begins at install and whenever the log holds
more than this outbox has numbered: then the database was restored to an earlier day. When the log holds less than it
once answered, it is the log that was restored: what it lost is shipped again. An idle relay asks now and then, too.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from services.kit.clock import milliseconds
from services.kit.faults import Fault
from services.kit.shipping import BATCH, Away

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.kit.clock import Clock
    from services.kit.ids import Ids
    from services.kit.outbox import Outbox
    from services.kit.shipping import Sender
    from services.kit.telemetry import Log

BATCH_BYTES = 1 << 19
LEASE_SECONDS = 10.0
KEEP_SECONDS = 14 * 86400.0
_IDLE_SECONDS = 0.5
MAX_PAUSE_SECONDS = 10.0
GATHER_SECONDS = 0.2
"""How long what is written after a batch waits for company; what is written in a quiet moment goes at once."""
CONFIRM_SECONDS = 30.0
"""How often an idle relay tells the log up to where it has shipped, and hears whether the log still holds it."""


@dataclass(frozen=True)
class _State:
    epoch: str
    predecessor: str
    numbered: int
    shipped: int


class Relay:
    """Ships one outbox. Any number may run; the lease lets one work."""

    def __init__(self, outbox: Outbox, send: Sender, clock: Clock, ids: Ids, log: Log) -> None:
        """Take the outbox and the way to the log."""
        self._outbox, self._send, self._clock, self._ids, self._log = outbox, send, clock, ids, log
        self._holder = ids.new("hld")
        self._checked = False
        self._state: _State | None = None
        self._saved: _State | None = None
        self._renew = 0.0
        self._held = ("", 0)
        self._confirm = 0.0
        self._pruned = 0.0
        self._level = False

    async def run(self) -> None:
        """Ship for ever."""
        pause = _IDLE_SECONDS
        while True:
            self._outbox.written.clear()
            try:
                busy = await self.step()
                pause = _IDLE_SECONDS
            except (Away, Fault, SQLAlchemyError, OSError, TimeoutError) as error:
                self._log.warning("relay waits", type=type(error).__name__)
                self._checked, busy = False, False
                pause = min(pause * 2, MAX_PAUSE_SECONDS)
            if not busy:
                await self._sleep(pause)
            elif self._level:
                await asyncio.sleep(GATHER_SECONDS)

    async def _sleep(self, pause: float) -> None:
        try:
            async with asyncio.timeout(pause):  # `wait_for` can swallow a cancellation
                await self._outbox.written.wait()
        except TimeoutError:
            return
        if pause > _IDLE_SECONDS:  # the log is away: new records must not make us hammer it
            await asyncio.sleep(pause)

    async def step(self) -> bool:
        """Number and ship one batch; tell whether there may be more."""
        state, self._state = self._state, None  # what fails forgets it: the next step asks the database
        if state is None or self._clock.monotonic() >= self._renew:
            state = await self._lease(state)
        if state is None:
            return False
        if not self._checked:
            state = await self._agree(state)
            self._checked = True
        state, events = await self._next(state)
        if not events:
            await self._save(state)
            await self._prune()
            self._state = state
            return await self._went_back()
        highest = await self._send.append(state.epoch, state.predecessor, state.shipped + 1, events)
        if highest < state.shipped + len(events):
            self._checked = False
        self._held = (state.epoch, highest)
        self._state = replace(state, shipped=min(highest, state.numbered))
        self._level = self._state.shipped == state.numbered and len(events) < BATCH
        return True

    async def _went_back(self) -> bool:
        """Tell the log that all was shipped, if it is time; return whether it holds less and must be replayed."""
        now = self._clock.monotonic()
        if now < self._confirm:
            return False
        self._checked = await self._send.head(*self._held) == self._held
        self._confirm = now + CONFIRM_SECONDS
        return not self._checked

    async def _lease(self, known: _State | None) -> _State | None:
        """Take or keep the lease; return where the outbox stands, None while another holds it."""
        table, now = self._outbox.state, self._now()
        until = now + int(LEASE_SECONDS * 1000)
        renew = self._clock.monotonic() + LEASE_SECONDS / 2
        async with self._outbox.database.write() as connection:
            row = (await connection.execute(select(table).with_for_update())).one_or_none()
            if row is None:
                fresh = _State(self._ids.new("epo"), "", 0, 0)
                values = {"epoch": fresh.epoch, "predecessor": "", "numbered": 0, "shipped": 0}
                await connection.execute(insert(table).values(id=1, holder=self._holder, until_ms=until, **values))
                self._saved, self._renew = fresh, renew
                return fresh
            if row.holder != self._holder and row.until_ms > now:
                return None
            if row.holder != self._holder:
                self._checked, known = False, None
            await connection.execute(update(table).values(holder=self._holder, until_ms=until))
        self._renew = renew
        if known is None:
            known = self._saved = _State(row.epoch, row.predecessor, row.numbered, row.shipped)
        return known

    async def _agree(self, state: _State) -> _State:
        """Compare with what the log holds; begin a new epoch, or go back and replay."""
        self._held = epoch, highest = await self._send.head()
        self._confirm = 0.0
        if epoch == state.epoch and highest <= state.numbered:
            if highest < state.shipped:
                self._log.warning("the log holds less than was shipped: replaying", count=state.shipped - highest)
            return replace(state, shipped=highest)
        past = await self._past(state)
        if epoch in ("", state.predecessor, *past):
            for each in past[past.index(epoch) :] if epoch in past else past:
                await self._replay(each)
            return replace(state, predecessor=self._held[0], shipped=0)
        return await self._begin_epoch(
            predecessor=epoch, held=state.numbered if epoch == state.epoch else state.shipped
        )

    async def _past(self, state: _State) -> list[str]:
        """Return the earlier epochs of which records are still kept, oldest first."""
        table = self._outbox.table
        earlier = select(table.c.epoch).where(table.c.epoch != state.epoch, table.c.number.is_not(None))
        async with self._outbox.database.read() as connection:
            query = earlier.group_by(table.c.epoch).order_by(func.min(table.c.id))
            return list((await connection.execute(query)).scalars())

    async def _replay(self, epoch: str) -> None:
        """Ship again what the log lost of an earlier epoch."""
        current, highest = self._held
        state = _State(epoch, current, 0, 0) if epoch != current else _State(epoch, "", 0, highest)
        while events := await self._kept(state):
            self._log.warning("the log lost an earlier epoch: replaying", count=len(events))
            reached = await self._send.append(epoch, state.predecessor, state.shipped + 1, events)
            self._held = (epoch, reached)
            if reached < state.shipped + len(events):
                message = "the log does not take what it lost"
                raise Away(message)
            state = _State(epoch, state.predecessor, 0, reached)

    async def _begin_epoch(self, predecessor: str, held: int) -> _State:
        """Begin an epoch, into which what the log does not hold of the current one is numbered anew."""
        fresh = _State(self._ids.new("epo"), predecessor, 0, 0)
        table, state = self._outbox.table, self._outbox.state
        async with self._outbox.database.write() as connection:
            await self._require_lease(connection)
            row = (await connection.execute(select(state))).one()
            unshipped = (table.c.epoch == row.epoch) & (table.c.number > held)
            await connection.execute(update(table).where(unshipped).values(epoch=None, number=None))
            await connection.execute(
                update(state).values(epoch=fresh.epoch, predecessor=predecessor, numbered=0, shipped=0)
            )
        self._log.warning("a new epoch begins: the log holds other records of this producer")
        self._saved = fresh
        return fresh

    async def _next(self, state: _State) -> tuple[_State, list[bytes]]:
        """Number the rows that were written since, and return the records to ship next."""
        table = self._outbox.table
        async with self._outbox.database.read() as connection:
            query = select(table.c.id).where(table.c.number.is_(None)).order_by(table.c.id).limit(BATCH)
            fresh = (await connection.execute(query)).scalars().all()
            if not fresh:
                return state, await self._load(connection, state) if state.shipped < state.numbered else []
        numbers = [{"row": row, "given": number} for number, row in enumerate(fresh, state.numbered + 1)]
        give = update(table).where(table.c.id == bindparam("row")).values(epoch=state.epoch, number=bindparam("given"))
        state = replace(state, numbered=state.numbered + len(fresh))
        async with self._outbox.database.write() as connection:
            await self._keep(connection, state)
            await connection.execute(give, numbers)
            events = await self._load(connection, state)
        self._saved = state
        return state, events

    async def _kept(self, state: _State) -> list[bytes]:
        async with self._outbox.database.read() as connection:
            return await self._load(connection, state)

    async def _load(self, connection: AsyncConnection, state: _State) -> list[bytes]:
        table = self._outbox.table
        wanted = (table.c.epoch == state.epoch) & (table.c.number > state.shipped)
        query = select(table.c.number, table.c.event).where(wanted).order_by(table.c.number).limit(BATCH)
        rows = (await connection.execute(query)).all()
        events: list[bytes] = []
        size = 0
        for expected, (number, data) in enumerate(rows, state.shipped + 1):
            if number != expected:
                message = "the outbox no longer holds what the log misses"
                raise Away(message)
            size += len(data)
            if events and size > BATCH_BYTES:
                break
            events.append(data)
        return events

    async def _save(self, state: _State) -> None:
        """Write down where it stands. That may wait for the next numbers: who lost it asks the log."""
        if state != self._saved:
            async with self._outbox.database.write() as connection:
                await self._keep(connection, state)
            self._saved = state

    async def _keep(self, connection: AsyncConnection, state: _State) -> None:
        await self._require_lease(connection)
        values = {"predecessor": state.predecessor, "numbered": state.numbered, "shipped": state.shipped}
        await connection.execute(update(self._outbox.state).values(values))

    async def _require_lease(self, connection: AsyncConnection) -> None:
        table = self._outbox.state
        holder = (await connection.execute(select(table.c.holder).with_for_update())).scalar_one()
        if holder != self._holder:
            message = "another relay holds the lease"
            raise Away(message)

    async def _prune(self) -> None:
        if self._clock.monotonic() - self._pruned < KEEP_SECONDS / 336:
            return
        self._pruned = self._clock.monotonic()
        table, state = self._outbox.table, self._outbox.state
        old = table.c.created_ms < self._now() - int(KEEP_SECONDS * 1000)
        async with self._outbox.database.write() as connection:
            await self._require_lease(connection)
            row = (await connection.execute(select(state))).one()
            shipped = (table.c.epoch != row.epoch) | (table.c.number <= row.shipped)
            await connection.execute(delete(table).where(old & table.c.number.is_not(None) & shipped))

    def _now(self) -> int:
        return milliseconds(self._clock.now())
