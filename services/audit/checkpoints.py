"""SQL of the checkpoint database: the last signed checkpoint, the one that is published, and nothing else.

Owns the compare-and-swap that keeps the log from ever being signed twice. It must be another database than the
entries', must never be restored from a backup, and must never lose a write: what it holds is what others have seen.
"""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, Table, insert, select, update
from sqlalchemy.exc import IntegrityError

from services.audit.store import ConflictError, Published, SignedHead
from services.kit.clock import Clock, from_milliseconds, milliseconds
from services.kit.db import Database

REVISION = "0002"
METADATA = MetaData()
CHECKPOINT = Table(
    "checkpoint",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("note", LargeBinary, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("signed_ms", BigInteger),
)
PUBLISHED = Table(
    "published",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("note", LargeBinary, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("cosignatures", Integer, nullable=False),
    Column("published_ms", BigInteger, nullable=False),
)


class SqlCheckpoints:
    """A `CheckpointStore` in a database of its own."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """Take the checkpoint database."""
        self._database, self._clock = database, clock

    async def load(self) -> SignedHead | None:
        """Return the last signed checkpoint, or None."""
        async with self._database.read() as connection:
            query = select(CHECKPOINT.c.note, CHECKPOINT.c.fence, CHECKPOINT.c.signed_ms)
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        return SignedHead(row.note, row.fence, None if row.signed_ms is None else from_milliseconds(row.signed_ms))

    async def swap(self, expected: bytes | None, head: SignedHead) -> None:
        """Replace `expected` by `head`; raise ConflictError if another stands there or its signer came later."""
        values: dict[str, bytes | int] = {"note": head.note, "fence": head.fence}
        if head.note != expected:
            values["signed_ms"] = milliseconds(self._clock.now())
        async with self._database.write() as connection:
            if expected is None:
                try:
                    await connection.execute(insert(CHECKPOINT).values(id=1, **values))
                except IntegrityError:
                    raise ConflictError from None
                return
            unchanged = (CHECKPOINT.c.note == expected) & (CHECKPOINT.c.fence <= head.fence)
            changed = await connection.execute(update(CHECKPOINT).where(unchanged).values(values))
            if not changed.rowcount:
                raise ConflictError

    async def published(self) -> Published | None:
        """Return the published checkpoint, or None."""
        columns = PUBLISHED.c
        async with self._database.read() as connection:
            row = (await connection.execute(select(columns.note, columns.size, columns.cosignatures))).one_or_none()
        return Published(*row) if row is not None else None

    async def publish(self, published: Published) -> None:
        """Replace the published checkpoint; one that covers more, or has more cosignatures, is kept instead."""
        values = {
            "note": published.note,
            "size": published.size,
            "cosignatures": published.cosignatures,
            "published_ms": milliseconds(self._clock.now()),
        }
        columns = PUBLISHED.c
        same = (columns.size == published.size) & (columns.cosignatures < published.cosignatures)
        async with self._database.write() as connection:
            better = update(PUBLISHED).where((columns.size < published.size) | same).values(values)
            if (await connection.execute(better)).rowcount:
                return
            if (await connection.execute(select(columns.id))).first() is None:
                await connection.execute(insert(PUBLISHED).values(id=1, **values))
