"""SQL of the checkpoint database: the last signed checkpoint, and nothing else.

Owns the compare-and-swap that keeps the log from ever being signed twice. It must be another database than the
entries', must never be restored from a backup, and must never lose a write: what it holds is what others have seen.
"""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, Table, insert, select, update
from sqlalchemy.exc import IntegrityError

from services.audit.store import ConflictError, SignedHead
from services.kit.db import Database

REVISION = "0001"
METADATA = MetaData()
CHECKPOINT = Table(
    "checkpoint",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("note", LargeBinary, nullable=False),
    Column("fence", BigInteger, nullable=False),
)


class SqlCheckpoints:
    """A `CheckpointStore` in a database of its own."""

    def __init__(self, database: Database) -> None:
        """Take the checkpoint database."""
        self._database = database

    async def load(self) -> SignedHead | None:
        """Return the last signed checkpoint, or None."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(CHECKPOINT.c.note, CHECKPOINT.c.fence))).one_or_none()
        return SignedHead(*row) if row is not None else None

    async def swap(self, expected: bytes | None, head: SignedHead) -> None:
        """Replace `expected` by `head`; raise ConflictError if another stands there or its signer came later."""
        values = {"note": head.note, "fence": head.fence}
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
