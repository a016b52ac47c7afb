"""Keep how far erasures were followed, and until when the records of erased customers are kept."""

from alembic import op
from sqlalchemy import BigInteger, Column, MetaData, String

from services.kit.erasure import erasure_table
from services.kit.migrate import create

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    create(op, erasure_table(MetaData()))  # type: ignore[arg-type]  # Alembic's module stands in for its class
    op.create_table(
        "erased",
        Column("account_id", String(30), primary_key=True),
        Column("until_ms", BigInteger, nullable=False, index=True),
    )
