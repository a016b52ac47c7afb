"""Owns the mapping between the operators' contract and its domain: parse, one call, map. Must never decide anything."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from services.auth import email_address, wire
from services.auth.erasures.erasure import State
from services.auth.erasures.handlers import CAUSES
from services.auth.operators.standing import Cause
from services.kit.faults import INVALID_ARGUMENT, Fault
from services.kit.ids import check
from valv.auth.v1 import operator_pb2

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from google.protobuf.timestamp_pb2 import Timestamp

    from services.auth.erasures.erasure import Erasures, Part
    from services.auth.operators.standing import Standing, Standings
    from services.auth.revocations import Broadcaster
    from services.auth.store import Work
    from services.kit.call import Call

_SERIAL_BYTES = 20
_CAUSES = {
    operator_pb2.DISABLE_REASON_OWNER: Cause.OWNER,
    operator_pb2.DISABLE_REASON_COMPROMISED: Cause.COMPROMISED,
    operator_pb2.DISABLE_REASON_ABUSE: Cause.ABUSE,
    operator_pb2.DISABLE_REASON_LEGAL: Cause.LEGAL,
}
_STATES = {
    State.REQUESTED: operator_pb2.GetErasureProgressResponse.STATE_REQUESTED,
    State.DATA: operator_pb2.GetErasureProgressResponse.STATE_DATA,
    State.TELLING: operator_pb2.GetErasureProgressResponse.STATE_TELLING,
    State.LOG: operator_pb2.GetErasureProgressResponse.STATE_LOG,
    State.ERASED: operator_pb2.GetErasureProgressResponse.STATE_ERASED,
}
_KEPT_BECAUSE = {cause: number for number, cause in CAUSES.items()}
_REASONS = {cause.value: reason for reason, cause in _CAUSES.items()}


class OperatorHandlers:
    """Serves ``valv.auth.v1.OperatorService``."""

    def __init__(
        self, standings: Standings, erasures: Erasures, broadcaster: Broadcaster, work: Callable[[Call], Work]
    ) -> None:
        """Take the domain."""
        self._standings, self._erasures, self._broadcaster, self._work = standings, erasures, broadcaster, work

    async def announce_certificate(
        self, request: operator_pb2.AnnounceCertificateRequest, call: Call
    ) -> operator_pb2.AnnounceCertificateResponse:
        """Record that a certificate was issued."""
        if not 0 < len(request.serial) <= _SERIAL_BYTES:
            raise Fault(INVALID_ARGUMENT, field="serial")
        self._standings.require_short(_time(request.not_after))
        call.record.object("certificate", f"serial-{request.serial.hex()}")
        return operator_pb2.AnnounceCertificateResponse()

    async def find_account(
        self, request: operator_pb2.FindAccountRequest, call: Call
    ) -> operator_pb2.FindAccountResponse:
        """Look an account up."""
        wanted = email_address.parse(request.email) if request.WhichOneof("by") == "email" else _id(request.account_id)
        found = await self._standings.find(self._work(call), call.record, wanted)
        return operator_pb2.FindAccountResponse(account=_account(found))

    async def disable_account(
        self, request: operator_pb2.DisableAccountRequest, call: Call
    ) -> operator_pb2.DisableAccountResponse:
        """Disable an account: its sessions are ended, recorded and told to all services before the answer."""
        if request.reason not in _CAUSES:
            raise Fault(INVALID_ARGUMENT, field="reason")
        cause, work = _CAUSES[request.reason], self._work(call)
        call.record.detail(cause=cause.value)
        after, ended = await self._standings.disable(work, call.record, _id(request.account_id), cause)
        call.record.detail(count=ended)
        await work.commit()
        await self._broadcaster.announce()
        return operator_pb2.DisableAccountResponse(account=_account(after), ended_sessions=ended)

    async def enable_account(
        self, request: operator_pb2.EnableAccountRequest, call: Call
    ) -> operator_pb2.EnableAccountResponse:
        """Enable an account."""
        after = await self._standings.enable(self._work(call), call.record, _id(request.account_id))
        return operator_pb2.EnableAccountResponse(account=_account(after))

    async def end_sessions(
        self, request: operator_pb2.EndSessionsRequest, call: Call
    ) -> operator_pb2.EndSessionsResponse:
        """End all sessions of an account: recorded and told to all services before the answer."""
        work = self._work(call)
        ended = await self._standings.end_sessions(work, call.record, _id(request.account_id))
        call.record.detail(count=ended)
        await work.commit()
        await self._broadcaster.announce()
        return operator_pb2.EndSessionsResponse(ended_sessions=ended)

    async def get_erasure_progress(
        self, request: operator_pb2.GetErasureProgressRequest, call: Call
    ) -> operator_pb2.GetErasureProgressResponse:
        """Tell how far an erasure has come."""
        erasure, parts = await self._erasures.progress(self._work(call), call.record, _id(request.account_id))
        return operator_pb2.GetErasureProgressResponse(
            state=_STATES[erasure.state], due_time=wire.timestamp(erasure.due), parts=[_part(part) for part in parts]
        )


def _part(part: Part) -> operator_pb2.ErasurePart:
    shown = operator_pb2.ErasurePart(service=part.service, time=wire.timestamp(part.done), event_id=part.event_id)
    for item in part.blocked:
        made = shown.blocked.add(kind=item.kind, count=item.count, cause=_KEPT_BECAUSE[item.cause])
        if item.until is not None:
            made.until.CopyFrom(wire.timestamp(item.until))
    return shown


def _id(text: str) -> str:
    try:
        return check("usr", text)
    except ValueError:
        raise Fault(INVALID_ARGUMENT, field="account_id") from None


def _time(stamp: Timestamp) -> datetime:
    try:
        return stamp.ToDatetime(UTC)
    except (ValueError, OverflowError):
        raise Fault(INVALID_ARGUMENT, field="not_after") from None


def _account(standing: Standing) -> operator_pb2.OperatorAccount:
    account = standing.account
    shown = operator_pb2.OperatorAccount(
        account_id=account.account_id,
        email=account.email,
        locale=account.locale,
        create_time=wire.timestamp(account.created),
        open_sessions=standing.open_sessions,
    )
    if account.confirmed is not None:
        shown.confirm_time.CopyFrom(wire.timestamp(account.confirmed))
    if account.disabled is not None:
        shown.disable_time.CopyFrom(wire.timestamp(account.disabled))
        shown.disable_reason = _REASONS[account.disabled_because]
    return shown
