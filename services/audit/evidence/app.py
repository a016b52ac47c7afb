"""The composition of what the log makes of evidence.

Owns which part gets which other part. Decides nothing else.
"""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from services.audit.activity import Activity
from services.audit.evidence.alerts import Alerts
from services.audit.evidence.handlers import PracticesHandlers, ReconciliationHandlers
from services.audit.evidence.reconciliation import CHECK, Reconciliation
from services.audit.evidence.sql import SqlAlerts, SqlBooks
from services.audit.journal import Journal
from services.audit.sql import SqlLog
from services.kit.checks import Check
from services.kit.main import Runtime
from services.kit.server import Handlers
from services.kit.storage import Storage
from valv.audit.v1 import practices_pb2, reconciliation_pb2


@dataclass(frozen=True)
class Evidence:
    """What it serves, runs and checks."""

    handlers: Handlers
    tasks: Sequence[Callable[[], Coroutine[Any, Any, None]]]
    checks: Sequence[Check]


def assemble(
    storage: Storage,
    records: SqlLog,
    activity: Activity,
    journal: Journal,
    runtime: Runtime,
) -> Evidence:
    """Put the parts together, over the storage's database."""
    clock, database = runtime.clock, storage.outbox.database
    alerts = SqlAlerts(database, clock, journal)
    reconciliation = Reconciliation(SqlBooks(database), clock)
    return Evidence(
        handlers={
            practices_pb2.DESCRIPTOR.services_by_name["PracticesService"]: PracticesHandlers(
                records, alerts, activity, clock
            ),
            reconciliation_pb2.DESCRIPTOR.services_by_name["ReconciliationService"]: ReconciliationHandlers(
                reconciliation, storage.found
            ),
        },
        tasks=(Alerts(records, alerts, clock, runtime.log, runtime.meter).run,),
        checks=(Check(CHECK, reconciliation.disagreeing),),
    )
