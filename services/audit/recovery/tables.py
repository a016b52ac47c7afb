"""The tables of a recovery, in the audit service's main database.

Owns their columns and indexes.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, MetaData, String, Table


def recovery_tables(metadata: MetaData) -> tuple[Table, Table, Table, Table]:
    """Add the tables; returns (bodiless, set_aside, recoveries, replays)."""
    return _bodiless(metadata), _set_aside(metadata), _recoveries(metadata), _replays(metadata)


def _bodiless(metadata: MetaData) -> Table:
    """Return the entries that were signed and of which the database holds no record."""
    return Table(
        "bodiless",
        metadata,
        Column("idx", BigInteger, primary_key=True, autoincrement=False),
        Column("entry", LargeBinary, nullable=False, unique=True),
    )


def _set_aside(metadata: MetaData) -> Table:
    """Return the numbers without an entry of their own: it is a bodiless one, or stands under an earlier number."""
    return Table(
        "set_aside",
        metadata,
        Column("epoch_id", Integer, ForeignKey("epochs.id"), primary_key=True),
        Column("number", BigInteger, primary_key=True, autoincrement=False),
        Column("event_id", String(30), nullable=False),
        Column("entry", LargeBinary),  # of somebody who was erased: what is appended when the recovery ends
        Column("subject", String(30)),
        Column("period", String(7)),
        Column("sealed", LargeBinary),
    )


def _recoveries(metadata: MetaData) -> Table:
    return Table(
        "recoveries",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("began_ms", BigInteger, nullable=False),
        Column("ended_ms", BigInteger),
        Column("held", BigInteger, nullable=False),
        Column("target", BigInteger, nullable=False),
        Column("lost", BigInteger, nullable=False),
    )


def _replays(metadata: MetaData) -> Table:
    """Return what each producer has said during the running recovery."""
    return Table(
        "replays",
        metadata,
        Column("producer", String(32), primary_key=True),
        Column("standing", String(16), nullable=False),
    )
