"""The tables of the audit service's main database.

Owns their columns and indexes; a test compares them with the migrations. Bodies are sealed before they come here: no
column holds what an event says, but for its time, and for the results of the live checks, which are public.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

from services.audit.recovery.tables import recovery_tables
from services.kit.erasure import erasure_table
from services.kit.outbox import outbox_tables

REVISION = "0012"
METADATA = MetaData()
outbox_tables(METADATA)
erasure_table(METADATA)

EPOCHS = Table(
    "epochs",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("producer", String(32), nullable=False),
    Column("epoch", String(30), nullable=False),
    Column("predecessor", String(30), nullable=False),
    Column("highest", BigInteger, nullable=False),
    Column("current", Boolean, nullable=False),
    UniqueConstraint("producer", "epoch"),
)
ENTRIES = Table(
    "entries",
    METADATA,
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch_id", Integer, ForeignKey("epochs.id"), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("event_id", String(30), nullable=False, unique=True),
    Column("subject", String(30), nullable=False),
    Column("entry", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("arrived_ms", BigInteger, nullable=False),
    UniqueConstraint("epoch_id", "number"),
    Index("entries_by_subject", "subject", "idx"),
)
EVENT_INDEX = Table(
    "event_index",
    METADATA,
    Column("idx", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("time_ms", BigInteger),  # null in all columns: the event is of somebody who was erased
    Column("subject", BigInteger),
    Column("actor", BigInteger),
    Column("kind", BigInteger),
    Column("action", BigInteger),
    Column("area", BigInteger),
    Column("object", BigInteger),
    Column("outcome", BigInteger),
    Index("event_index_by_time", "time_ms", "idx"),
    Index("event_index_by_subject", "subject", "time_ms", "idx"),
    Index("event_index_by_actor", "actor", "time_ms", "idx"),
    Index("event_index_by_action", "action", "time_ms", "idx"),
    Index("event_index_by_object", "object", "time_ms", "idx"),
    Index("event_index_by_outcome", "outcome", "time_ms", "idx"),
)
REQUESTS = Table(
    "recent_requests",
    METADATA,
    Column("period", Integer, primary_key=True, autoincrement=False),
    Column("request", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
INDEX_STATE = Table(
    "index_state",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("filled", BigInteger, nullable=False),
)
LOG_STATE = Table(
    "log_state",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("wanted", BigInteger, nullable=False, server_default="0"),
    Column("bodiless", BigInteger, nullable=False, server_default="0"),
)
BODILESS, SET_ASIDE, RECOVERIES, REPLAYS = recovery_tables(METADATA)
ALARMS = Table(
    "alarms",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("producer", String(32), nullable=False),
    Column("epoch", String(30), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("opened_ms", BigInteger, nullable=False),
    Column("closed_ms", BigInteger),
)
EVIDENCE = Table(
    "evidence",
    METADATA,
    Column("name", String(96), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("measured", BigInteger),
    Column("threshold", BigInteger, nullable=False, server_default="0"),
    Column("late_ms", BigInteger, nullable=False, server_default="0"),
    Column("time_ms", BigInteger, nullable=False),
    Column("event_id", String(30), nullable=False),
    Column("idx", BigInteger, nullable=False),
)
ALERTS = Table(
    "alerts",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", String(96), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("opened_ms", BigInteger, nullable=False),
    Column("closed_ms", BigInteger),
    Index("alerts_open", "closed_ms", "name"),
)
STATEMENTS = Table(
    "statements",
    METADATA,
    Column("producer", String(32), primary_key=True),
    Column("epoch", String(30), nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("time_ms", BigInteger, nullable=False),
)
LEASES = Table(
    "leases",
    METADATA,
    Column("name", String(32), primary_key=True),
    Column("holder", String(30), nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
)
ERASED = Table(
    "erased_subjects",
    METADATA,
    Column("subject", String(30), primary_key=True),
    Column("begun_ms", BigInteger, nullable=False),
)
SECURITY = Table(
    "security_records",
    METADATA,
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("subject", String(30), nullable=False),
    Column("period", String(7), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Index("security_by_subject", "subject", "idx"),
    Index("security_by_period", "period"),
)
SIEM = Table(
    "siem_cursors",
    METADATA,
    Column("sink", String(16), primary_key=True),
    Column("next_idx", BigInteger, nullable=False),
    Column("untold", BigInteger, nullable=False),
    Column("told_ms", BigInteger),
)
HOLDS = Table(
    "holds",
    METADATA,
    Column("id", String(30), primary_key=True),
    Column("subject", String(30), nullable=False),
    Column("since_ms", BigInteger),
    Column("until_ms", BigInteger),
    Column("cause", String(16), nullable=False),
    Column("secret", Boolean, nullable=False),
    Column("placed_ms", BigInteger, nullable=False),
    Column("placed_by", String(96), nullable=False),
    Column("released_ms", BigInteger),
    Column("released_by", String(96), nullable=False),
    Column("dropped", BigInteger, nullable=False),
    Column("cleared", Boolean, nullable=False),
)
HELD = Table(
    "held_bodies",
    METADATA,
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("hold", String(30), ForeignKey("holds.id"), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Index("held_by_hold", "hold", "idx"),
)
RETENTION = Table(
    "retention",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("cold_below", BigInteger, nullable=False),
    Column("expired_below", BigInteger, nullable=False),
    Column("minimum", BigInteger, nullable=False),
    Column("swept_ms", BigInteger),
    Column("kept_from", BigInteger),
    Column("cooled", BigInteger, nullable=False),
    Column("expired", BigInteger, nullable=False),
)
PRUNINGS = Table(
    "prunings",
    METADATA,
    Column("event_id", String(30), primary_key=True),
    Column("minimum", BigInteger, nullable=False),
    Column("said_ms", BigInteger, nullable=False),
)
COLD = Table(
    "cold_bundles",
    METADATA,
    Column("bundle", BigInteger, primary_key=True, autoincrement=False),
    Column("period", String(7), nullable=False),
    Index("cold_by_period", "period"),
)
