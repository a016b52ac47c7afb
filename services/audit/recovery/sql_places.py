"""SQL of the places that signed entries wait in for their record: part of a write transaction on the log.

Owns the look-up of a place and what is kept of a number that has none. Never moves an entry.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.audit.store import ConflictError, ErasedError, Extent, Record, Standing
from services.audit.tables import BODILESS, ENTRIES, EPOCHS, ERASED, LOG_STATE, REPLAYS, SET_ASIDE


class SqlPlaces:
    """The statements of `Regaining`."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Take an open transaction."""
        self._connection = connection

    async def extent(self) -> Extent:
        """Return the log's extent; other transactions wait until this one ends."""
        columns = LOG_STATE.c
        query = select(columns.size, columns.wanted, columns.bodiless).with_for_update()
        return Extent(*(await self._connection.execute(query)).one())

    async def places(self, records: Sequence[Record]) -> dict[bytes, int]:
        """Return the indexes of these records' entries, of those that were signed and have no record.

        Raises:
            ErasedError: Some are sealed under the keys of people who are being erased: their leaves are other ones.
        """
        await self._refuse_erased(records)
        wanted = BODILESS.c.entry.in_([record.entry for record in records if record.entry])
        rows = await self._connection.execute(select(BODILESS.c.entry, BODILESS.c.idx).where(wanted))
        return {row.entry: row.idx for row in rows}

    async def set_aside(self, producer: str, epoch: str, records: Sequence[Record], *, regaining: bool = False) -> None:
        """Keep that the log has these numbers, although no entry can be told to be theirs.

        While the log regains what it had signed, what stays of those about people who were erased is kept beside them,
        to be appended when the recovery ends.
        """
        last = records[-1].source.number
        raise_head = update(EPOCHS).where(epoch_is(producer, epoch), EPOCHS.c.highest < last).values(highest=last)
        await self._connection.execute(raise_head)
        row = (await self._connection.execute(select(EPOCHS.c.id).where(epoch_is(producer, epoch)))).scalar_one()
        rows = [
            {"epoch_id": row, "number": each.source.number, **_aside(each, regaining=regaining)} for each in records
        ]
        await self._connection.execute(insert(SET_ASIDE), rows)

    async def earlier(self, producer: str, epoch: str, records: Sequence[Record]) -> set[str]:
        """Return the ids among these that an earlier epoch of the producer holds."""
        query = (
            select(ENTRIES.c.event_id)
            .join(EPOCHS, EPOCHS.c.id == ENTRIES.c.epoch_id)
            .where(EPOCHS.c.producer == producer, EPOCHS.c.epoch != epoch)
            .where(ENTRIES.c.event_id.in_([record.event_id for record in records]))
        )
        return set((await self._connection.execute(query)).scalars())

    async def heard(self, producer: str, standing: Standing) -> None:
        """Keep what was heard of the producer; that it has nothing left is not taken back."""
        mine = REPLAYS.c.producer == producer
        known = (await self._connection.execute(select(REPLAYS.c.standing).where(mine))).scalar_one_or_none()
        if known is None:
            await self._connection.execute(insert(REPLAYS).values(producer=producer, standing=standing.value))
        elif known == Standing.KEYLESS:
            await self._connection.execute(update(REPLAYS).where(mine).values(standing=standing.value))

    async def _refuse_erased(self, records: Sequence[Record]) -> None:
        subjects = {record.subject for record in records if record.subject and record.sealed}
        if subjects:
            query = select(ERASED.c.subject).where(ERASED.c.subject.in_(subjects))
            if found := frozenset((await self._connection.execute(query)).scalars()):
                raise ErasedError(found)

    async def _fill(self, producer: str, places: Mapping[bytes, int]) -> None:
        """Forget that these places wait for a record."""
        gone = await self._connection.execute(delete(BODILESS).where(BODILESS.c.idx.in_(places.values())))
        if gone.rowcount != len(places):
            raise ConflictError
        less = update(LOG_STATE).values(bodiless=LOG_STATE.c.bodiless - len(places))
        await self._connection.execute(less)
        keyless = (REPLAYS.c.producer == producer) & (REPLAYS.c.standing == Standing.KEYLESS.value)
        await self._connection.execute(delete(REPLAYS).where(keyless))


def _aside(record: Record, *, regaining: bool) -> dict[str, str | bytes | None]:
    if not regaining or record.standing is not Standing.ERASED:
        return {"event_id": record.event_id, "entry": None, "subject": None, "period": None, "sealed": None}
    period, sealed = (record.minimal.period, record.minimal.sealed) if record.minimal is not None else (None, None)
    kept = {"entry": record.entry, "subject": record.subject, "period": period, "sealed": sealed}
    return {"event_id": record.event_id, **kept}


def epoch_is(producer: str, epoch: str) -> ColumnElement[bool]:
    """Return the condition that selects one epoch of a producer."""
    return (EPOCHS.c.producer == producer) & (EPOCHS.c.epoch == epoch)
