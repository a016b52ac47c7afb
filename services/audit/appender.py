"""The appender: takes producers' records in, each exactly once and none before its predecessor.

Owns the judgement on (producer, epoch, number) and the group commit: concurrent calls share one transaction, and each
is answered when that is durable. Never signs and never opens a body.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.audit.bodies import Bodies
from services.audit.errors import AUDIT_EPOCH, AUDIT_EVENT_REFUSED, AUDIT_GAP, AUDIT_REUSED, LOG_RECOVERING
from services.audit.recovery.placing import Place, regain, same
from services.audit.store import (
    Appending,
    AppendStore,
    DuplicateEventError,
    ErasedError,
    Head,
    Record,
    Signed,
    Standing,
)
from services.kit import context
from services.kit.event import Event, EventError
from services.kit.faults import OVERLOADED, Fault

MAX_WAITING = 8192
"""Events that may wait for a commit before callers are told to come back."""
_COMMIT = 4096


@dataclass(frozen=True, slots=True)
class _Waiting:
    place: Place
    records: list[Record]
    done: asyncio.Future[int]


class Gate(Protocol):
    """The sequencer, as far as it admits appends."""

    @property
    def recovering(self) -> bool:
        """Whether the log regains what it had signed."""

    def require_sound(self) -> None:
        """Raise Fault LOG_HALTED unless the log agrees with what was signed, or is on the way back to it."""

    def wake(self) -> None:
        """Hear that entries have arrived."""


class Heads(Protocol):
    """Up to where the log is signed."""

    async def signed(self) -> Signed:
        """Return it, at most a fifth of a second old."""


class Appender:
    """Appends to the log."""

    def __init__(
        self,
        store: AppendStore,
        bodies: Bodies,
        read: Callable[[bytes], Event],
        gate: Gate,
        heads: Heads,
    ) -> None:
        """Take the store, the sealing, the reading of events, what admits appends, and the signed heads."""
        self._store, self._bodies, self._read = store, bodies, read
        self._gate, self._heads = gate, heads
        self._queue: list[_Waiting] = []
        self._arrived = asyncio.Event()
        self._pending = 0

    async def head(self, producer: str, shipped: Head | None = None) -> Head | None:
        """Return the producer's current epoch and the highest number held of it.

        `shipped` is up to where the producer says that it has shipped all: a recovery waits to hear that from each.
        """
        held = await self._store.head(producer)
        if shipped is not None and shipped == held and self._gate.recovering:
            async with self._store.begin() as transaction:
                if (await transaction.extent()).wanted and await transaction.latest(producer) == shipped:
                    await transaction.heard(producer, Standing.WHOLE)
            self._gate.wake()
        return held

    async def append_serialized(self, place: Place, data: Sequence[bytes]) -> int:
        """Append consecutive events as their producer serialized them.

        Raises:
            Fault: AUDIT_EVENT_REFUSED: one does not fit the schema; its producer is stuck and an alarm is open. And as
                `append`.
        """
        events = []
        for position, each in enumerate(data):
            try:
                events.append(self._read(each))
            except EventError as error:
                async with self._store.begin() as transaction:
                    await transaction.alarm(place.producer, place.epoch, AUDIT_EVENT_REFUSED.name, 0)
                raise Fault(AUDIT_EVENT_REFUSED, field=f"events[{position}].{error.field}") from None
        return await self.append(place, events)

    async def append(self, place: Place, events: Sequence[Event]) -> int:
        """Append consecutive events; return the highest number held of the epoch, once it is durable.

        Raises:
            Fault: AUDIT_GAP, AUDIT_EPOCH, AUDIT_REUSED, LOG_HALTED, LOG_RECOVERING or OVERLOADED. Nothing was taken.
        """
        self._gate.require_sound()
        if self._pending + len(events) > MAX_WAITING:
            raise Fault(OVERLOADED, retry_after=1)
        self._pending += len(events)
        try:
            return await self._append(place, events)
        finally:
            self._pending -= len(events)

    async def _append(self, place: Place, events: Sequence[Event]) -> int:
        erased: frozenset[str] = frozenset()
        while True:
            records = await self._bodies.seal(
                events, place.producer, place.epoch, place.first, erased, regaining=self._gate.recovering
            )
            done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            self._queue.append(_Waiting(place, records, done))
            self._arrived.set()
            try:
                return await done
            except ErasedError as found:  # somebody's erasure began since, maybe in another replica
                erased |= found.subjects

    async def run(self) -> None:
        """Commit what arrives until cancelled."""
        context.awaited.set(True)
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._queue:
                batch = self._take()
                try:
                    await self._commit(batch)
                except self._store.failures as error:
                    refused, self._queue = [*batch, *self._queue], []  # whoever came meanwhile has waited for the same
                    for waiting in refused:
                        _settle(waiting.done, error)

    def _take(self) -> list[_Waiting]:
        taken, size = 0, 0
        while taken < len(self._queue) and (taken == 0 or size + len(self._queue[taken].records) <= _COMMIT):
            size += len(self._queue[taken].records)
            taken += 1
        batch, self._queue = self._queue[:taken], self._queue[taken:]
        return [waiting for waiting in batch if not waiting.done.done()]

    async def _commit(self, batch: Sequence[_Waiting], *, apart: bool = False) -> None:
        results: list[int | Exception] = []
        try:
            signed = await self._heads.signed()
            async with self._store.begin() as transaction:
                for waiting in batch:
                    results.append(await _judge(transaction, waiting, signed, apart=apart))  # noqa: PERF401 - in turn
        except self._store.failures:  # nobody's record: asking again for each of them would take as long each time
            raise
        except Exception as error:  # noqa: BLE001 - given to the callers, whose chain knows what to say
            if len(batch) > 1 and not isinstance(error, Fault):  # one bad record must not refuse its neighbours
                for waiting in batch:
                    await self._commit([waiting])
                return
            held = isinstance(error, DuplicateEventError)
            if held and not apart:
                await self._commit(batch, apart=True)
                return
            results = [Fault(AUDIT_REUSED) if held else error for _ in batch]
        for waiting, result in zip(batch, results, strict=True):
            _settle(waiting.done, result)
        self._gate.wake()


async def _judge(transaction: Appending, waiting: _Waiting, signed: Signed, *, apart: bool = False) -> int | Fault:
    place, records = waiting.place, waiting.records
    extent = await transaction.extent()
    if extent.wanted:
        return await regain(transaction, place, records, signed)
    if extent.size < signed.size or any(not record.entry for record in records):
        return Fault(LOG_RECOVERING, retry_after=1)
    current = await transaction.latest(place.producer)
    if current is None or current.epoch != place.epoch:
        past = await transaction.held(place.producer, place.epoch)
        if past is not None:
            return await _past(transaction, place, records, past, current)
        if place.predecessor != (current.epoch if current else ""):
            await transaction.alarm(place.producer, place.epoch, AUDIT_EPOCH.name, 0)
            return Fault(AUDIT_EPOCH)
    highest = current.highest if current is not None and current.epoch == place.epoch else 0
    if place.first > highest + 1:
        await transaction.alarm(place.producer, place.epoch, AUDIT_GAP.name, place.first - highest - 1)
        return Fault(AUDIT_GAP)
    if current is None or current.epoch != place.epoch:
        await transaction.begin_epoch(place.producer, place.epoch, place.predecessor)
    again = records[: highest + 1 - place.first]
    if again and not await same(transaction, place, again):
        return Fault(AUDIT_REUSED)
    fresh = records[len(again) :]
    if fresh:
        await _take(transaction, place, fresh, bodiless=bool(extent.bodiless), apart=apart)
    return highest + len(fresh)


async def _take(
    transaction: Appending, place: Place, records: Sequence[Record], *, bodiless: bool, apart: bool
) -> None:
    """Keep a producer's next records.

    A restored outbox sends under a new epoch what it had sent under the one before: if an id is held (`apart`), those
    are set aside. A record whose entry was left without one by a recovery goes to its place.
    """
    held = await transaction.earlier(place.producer, place.epoch, records) if apart else set()
    if fresh := [record for record in records if record.event_id not in held]:
        places = await transaction.places(fresh) if bodiless else {}
        await transaction.insert(place.producer, place.epoch, fresh, places)
    if aside := [record for record in records if record.event_id in held]:
        await transaction.set_aside(place.producer, place.epoch, aside)
    await transaction.calm(place.producer)


async def _past(
    transaction: Appending, place: Place, records: Sequence[Record], past: Head, current: Head | None
) -> int | Fault:
    """Judge records of an epoch that has a successor: it takes no new ones. An empty one was made by a recovery."""
    if place.first + len(records) - 1 > past.highest:
        if current is None or current.highest:
            await transaction.alarm(place.producer, place.epoch, AUDIT_EPOCH.name, 0)
        return Fault(AUDIT_EPOCH)
    return past.highest if await same(transaction, place, records) else Fault(AUDIT_REUSED)


def _settle(done: asyncio.Future[int], result: int | Exception) -> None:
    if done.done():
        return
    if isinstance(result, Exception):
        done.set_exception(result)
    else:
        done.set_result(result)
