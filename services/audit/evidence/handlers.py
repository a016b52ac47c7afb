"""PracticesService and ReconciliationService: parse, one domain call, map.

Owns nothing but the mapping.
"""

from collections.abc import Awaitable, Callable

from google.api.httpbody_pb2 import HttpBody

from services.audit import wire
from services.audit.activity import Activity
from services.audit.evidence.alerts import AlertStore
from services.audit.evidence.reconciliation import Balance, Reconciliation, Verdict, found
from services.audit.practices import judge
from services.audit.sql import SqlLog
from services.kit.call import Call
from services.kit.checks import CHECK_KIND, Finding
from services.kit.clock import Clock
from services.kit.faults import NOT_FOUND, Fault
from valv.audit.v1 import practices_pb2, reconciliation_pb2

_TEXT = "text/plain; charset=utf-8"
_VERDICTS = {
    Verdict.AGREES: reconciliation_pb2.Balance.VERDICT_AGREES,
    Verdict.DIFFERS: reconciliation_pb2.Balance.VERDICT_DIFFERS,
    Verdict.OLD: reconciliation_pb2.Balance.VERDICT_OLD,
    Verdict.SILENT: reconciliation_pb2.Balance.VERDICT_SILENT,
}


class PracticesHandlers:
    """PracticesService."""

    def __init__(self, log: SqlLog, alerts: AlertStore, activity: Activity, clock: Clock) -> None:
        """Take where the evidence is and the alerts are, and what writes receipts."""
        self._log, self._alerts, self._activity, self._clock = log, alerts, activity, clock

    async def list_practices(
        self, request: practices_pb2.ListPracticesRequest, call: Call
    ) -> practices_pb2.ListPracticesResponse:
        """List the promises with the state of their checks."""
        practices, alerts = judge(await self._log.evidence(), self._clock.now()), await self._alerts.open()
        call.reply_metadata.append(("cache-control", "public, max-age=5"))
        return practices_pb2.ListPracticesResponse(
            practices=[wire.practice_message(each, alerts) for each in practices]
        )

    async def get_evidence(self, request: practices_pb2.GetEvidenceRequest, call: Call) -> HttpBody:
        """Return the receipt of a check's latest result; NOT_FOUND when it has none."""
        found = (await self._log.evidence()).get(request.check)
        if found is None:
            raise Fault(NOT_FOUND)
        receipt = await self._activity.evidence(found.event_id)
        call.reply_metadata.append(("cache-control", "no-store"))
        return HttpBody(content_type=_TEXT, data=receipt)


class ReconciliationHandlers:
    """ReconciliationService."""

    def __init__(self, reconciliation: Reconciliation, record: Callable[[Finding], Awaitable[None]]) -> None:
        """Take what compares, and what records its results."""
        self._reconciliation, self._record = reconciliation, record

    async def reconcile(
        self, request: reconciliation_pb2.ReconcileRequest, call: Call
    ) -> reconciliation_pb2.ReconcileResponse:
        """Compare now, and record the result as the daily comparison does."""
        balances = await self._reconciliation.balances()
        finding = found(balances)
        await self._record(finding)
        call.record.object(CHECK_KIND, finding.check)
        call.record.detail(state=finding.state)
        return reconciliation_pb2.ReconcileResponse(balances=[_message(each) for each in balances])


def _message(balance: Balance) -> reconciliation_pb2.Balance:
    message = reconciliation_pb2.Balance(
        producer=balance.producer, verdict=_VERDICTS[balance.verdict], held_count=balance.held
    )
    if balance.statement is not None:
        message.epoch, message.number = balance.statement.epoch, balance.statement.number
        message.stated_count = balance.statement.count
        message.time.FromDatetime(balance.statement.time)
    return message
