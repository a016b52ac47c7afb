"""The composition of what the log makes of evidence.

Owns which part gets which other part. Decides nothing else.
"""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from services.audit.activity import Activity
from services.audit.evidence.alerts import Alerts
from services.audit.evidence.handlers import PracticesHandlers
from services.audit.evidence.reconciliation import CHECK, Reconciliation
from services.audit.evidence.sql import SqlAlerts, SqlBooks
from services.audit.journal import Journal
from services.audit.sql import SqlLog
from services.kit.checks import Check
from services.kit.db import Database
from services.kit.main import Runtime


@dataclass(frozen=True)
class Evidence:
    """What it serves, runs and checks."""

    handlers: PracticesHandlers
    tasks: Sequence[Callable[[], Coroutine[Any, Any, None]]]
    checks: Sequence[Check]


def assemble(
    database: Database,
    records: SqlLog,
    activity: Activity,
    journal: Journal,
    runtime: Runtime,
) -> Evidence:
    """Put the parts together."""
    clock = runtime.clock
    alerts = SqlAlerts(database, clock, journal)
    reconciliation = Reconciliation(SqlBooks(database), clock)
    return Evidence(
        handlers=PracticesHandlers(records, alerts, activity, clock),
        tasks=(Alerts(records, alerts, clock, runtime.log, runtime.meter).run,),
        checks=(Check(CHECK, reconciliation.disagreeing),),
    )
