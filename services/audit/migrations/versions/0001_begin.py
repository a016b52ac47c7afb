"""The log's tables: entries, epochs, alarms, evidence, lease, and the service's own outbox."""

import sqlalchemy as sa
from alembic import op

from services.kit.migrate import create_outbox

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_outbox(op)  # type: ignore[arg-type]  # Alembic's module stands in for its class
    _records()
    _state()


def _records() -> None:
    op.create_table(
        "epochs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("producer", sa.String(32), nullable=False),
        sa.Column("epoch", sa.String(30), nullable=False),
        sa.Column("predecessor", sa.String(30), nullable=False),
        sa.Column("highest", sa.BigInteger, nullable=False),
        sa.Column("current", sa.Boolean, nullable=False),
        sa.UniqueConstraint("producer", "epoch"),
    )
    op.create_table(
        "entries",
        sa.Column("idx", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("epoch_id", sa.Integer, sa.ForeignKey("epochs.id"), nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("event_id", sa.String(30), nullable=False, unique=True),
        sa.Column("subject", sa.String(30), nullable=False),
        sa.Column("entry", sa.LargeBinary, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("arrived_ms", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("epoch_id", "number"),
    )
    op.create_index("entries_by_subject", "entries", ["subject", "idx"])


def _state() -> None:
    log_state = op.create_table(
        "log_state",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(log_state, [{"id": 1, "size": 0}])
    op.create_table(
        "alarms",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("producer", sa.String(32), nullable=False),
        sa.Column("epoch", sa.String(30), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("opened_ms", sa.BigInteger, nullable=False),
        sa.Column("closed_ms", sa.BigInteger),
    )
    op.create_table(
        "evidence",
        sa.Column("name", sa.String(96), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("measured", sa.BigInteger, nullable=False),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
        sa.Column("event_id", sa.String(30), nullable=False),
        sa.Column("idx", sa.BigInteger, nullable=False),
    )
    leases = op.create_table(
        "leases",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("holder", sa.String(30), nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("until_ms", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(leases, [{"name": "sequencer", "holder": "", "token": 0, "until_ms": 0}])
