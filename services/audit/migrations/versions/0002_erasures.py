"""Keep how far erasures were followed."""

from alembic import op
from sqlalchemy import MetaData

from services.kit.erasure import erasure_table
from services.kit.migrate import create

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    create(op, erasure_table(MetaData()))  # type: ignore[arg-type]  # Alembic's module stands in for its class
