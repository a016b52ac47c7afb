"""The gRPC surface of holds and retention: parse, one domain call, map.

Owns nothing but the mapping, and what a call's record says: of a secret hold nothing that leads it into the customer's
own activity.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy.ext.asyncio import AsyncConnection

from services.audit.retention.holds import PREFIX, Cause, Hold, Holdings, Holds, Order, Span
from services.audit.retention.policy import RetentionConfig
from services.audit.retention.security import SecurityReader
from services.audit.retention.sweep import Sweeper
from services.audit.wire import message_of
from services.kit.call import Call
from services.kit.faults import INVALID_ARGUMENT, NOT_FOUND, Fault
from services.kit.ids import check
from valv.audit.v1 import hold_pb2, retention_pb2

_CAUSES = {
    hold_pb2.HOLD_CAUSE_LITIGATION: Cause.LITIGATION,
    hold_pb2.HOLD_CAUSE_AUTHORITY: Cause.AUTHORITY,
    hold_pb2.HOLD_CAUSE_INVESTIGATION: Cause.INVESTIGATION,
}
_INDEX = re.compile(r"[0-9]{1,18}")
_NUMBERS = {cause: number for number, cause in _CAUSES.items()}


class HoldHandlers:
    """HoldService."""

    def __init__(self, holds: Holds, within: Callable[[AsyncConnection], Holdings]) -> None:
        """Take the domain, and the holds within a call's transaction."""
        self._holds, self._within = holds, within

    async def place_hold(self, request: hold_pb2.PlaceHoldRequest, call: Call) -> hold_pb2.PlaceHoldResponse:
        """Place a hold."""
        if request.cause not in _CAUSES:
            raise Fault(INVALID_ARGUMENT, field="cause")
        subject = _id("usr", request.account_id, "account_id") if request.WhichOneof("over") == "account_id" else ""
        span = _span(request.span) if request.WhichOneof("over") == "span" else None
        order = Order(subject, span, _CAUSES[request.cause], request.secret)
        call.record.detail(cause=order.cause.value)
        hold = await self._holds.place(self._within(await call.tx()), order, call.peer.name or "")
        _say(call, hold)
        return hold_pb2.PlaceHoldResponse(hold=_message(hold))

    async def list_holds(self, request: hold_pb2.ListHoldsRequest, call: Call) -> hold_pb2.ListHoldsResponse:
        """List the holds."""
        after = _id(PREFIX, request.page_token, "page_token") if request.page_token else ""
        holds, token = await self._holds.page(after, request.page_size, released=request.released)
        call.record.detail(count=len(holds))
        return hold_pb2.ListHoldsResponse(holds=[_message(hold) for hold in holds], next_page_token=token)

    async def release_hold(self, request: hold_pb2.ReleaseHoldRequest, call: Call) -> hold_pb2.ReleaseHoldResponse:
        """Release a hold."""
        try:
            check(PREFIX, request.hold_id)
        except ValueError:
            raise Fault(NOT_FOUND) from None
        call.record.object("hold", request.hold_id)
        hold = await self._holds.release(self._within(await call.tx()), request.hold_id, call.peer.name or "")
        call.record.detail(cause=hold.cause.value)
        _say(call, hold)
        return hold_pb2.ReleaseHoldResponse()


class RetentionHandlers:
    """RetentionService."""

    def __init__(self, sweeper: Sweeper, policy: RetentionConfig, reader: SecurityReader) -> None:
        """Take the sweep, its policy, and what opens what stays of people who were erased."""
        self._sweeper, self._policy, self._reader = sweeper, policy, reader

    async def preview_sweep(
        self, request: retention_pb2.PreviewSweepRequest, call: Call
    ) -> retention_pb2.PreviewSweepResponse:
        """Tell what a sweep would do."""
        state, preview = await self._sweeper.preview()
        call.record.detail(count=preview.expired_entries)
        response = retention_pb2.PreviewSweepResponse(
            keep_months=self._policy.keep_months,
            at_hand_months=self._policy.at_hand_months,
            minimum_index=state.minimum if self._policy.prune else 0,
            cold_bundles=preview.cold_bundles,
            expired_entries=preview.expired_entries,
            held_entries=preview.held_entries,
        )
        if state.swept is not None:
            response.last_sweep_time.FromDatetime(state.swept)
        return response

    async def list_remains(
        self, request: retention_pb2.ListRemainsRequest, call: Call
    ) -> retention_pb2.ListRemainsResponse:
        """Return what stays of an erased customer's records."""
        subject = _id("usr", request.account_id, "account_id")
        call.record.subject = subject
        before = _index(request.page_token) if request.page_token else None
        records, more = await self._reader.page(subject, before, request.page_size)
        call.record.detail(count=len(records))
        remains = [
            retention_pb2.Remain(
                event=message_of(record.event), producer=record.source.producer, index=record.index, held=record.held
            )
            for record in records
        ]
        token = str(more) if more is not None else ""
        return retention_pb2.ListRemainsResponse(remains=remains, next_page_token=token)


def _index(token: str) -> int:
    if not _INDEX.fullmatch(token):
        raise Fault(INVALID_ARGUMENT, field="page_token")
    return int(token)


def _say(call: Call, hold: Hold) -> None:
    call.record.object("hold", hold.hold_id)
    if not hold.secret:
        call.record.subject = hold.subject


def _span(message: hold_pb2.HoldSpan) -> Span:
    if not message.HasField("since_time"):
        raise Fault(INVALID_ARGUMENT, field="span.since_time")
    since = _time(message.since_time, "span.since_time")
    return Span(since, _time(message.until_time, "span.until_time") if message.HasField("until_time") else None)


def _time(stamp: Timestamp, field: str) -> datetime:
    try:
        return stamp.ToDatetime(UTC)
    except (ValueError, OverflowError):
        raise Fault(INVALID_ARGUMENT, field=field) from None


def _id(prefix: str, text: str, field: str) -> str:
    try:
        return check(prefix, text)
    except ValueError:
        raise Fault(INVALID_ARGUMENT, field=field) from None


def _message(hold: Hold) -> hold_pb2.Hold:
    message = hold_pb2.Hold(
        hold_id=hold.hold_id,
        cause=_NUMBERS[hold.cause],
        secret=hold.secret,
        placed_by=hold.placed_by,
        released_by=hold.released_by,
    )
    if hold.span is None:
        message.account_id = hold.subject
    else:
        message.span.since_time.FromDatetime(hold.span.since)
        if hold.span.until is not None:
            message.span.until_time.FromDatetime(hold.span.until)
    message.place_time.FromDatetime(hold.placed)
    if hold.released is not None:
        message.release_time.FromDatetime(hold.released)
    return message
