"""Owns the mapping between the services' acknowledgements and the domain. Must never decide anything."""

from __future__ import annotations

import re
from datetime import UTC
from typing import TYPE_CHECKING

from services.auth.erasures.erasure import MOST_BLOCKED, Blocked
from services.kit.faults import INVALID_ARGUMENT, Fault
from services.kit.ids import check
from valv.auth.v1 import erasure_pb2

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.auth.erasures.erasure import Erasures
    from services.auth.store import Work
    from services.kit.call import Call

_KIND = re.compile(r"[a-z][a-z_]{0,31}")
CAUSES = {
    erasure_pb2.BlockedItem.CAUSE_STATUTORY: "statutory",
    erasure_pb2.BlockedItem.CAUSE_LEGAL_HOLD: "legal_hold",
}


class ErasureHandlers:
    """Serves ``valv.auth.v1.ErasureService``."""

    def __init__(self, erasures: Erasures, work: Callable[[Call], Work]) -> None:
        """Take the domain."""
        self._erasures, self._work = erasures, work

    async def acknowledge(self, request: erasure_pb2.AcknowledgeRequest, call: Call) -> erasure_pb2.AcknowledgeResponse:
        """Note that the calling service has done its part."""
        account, event = _id("usr", request.account_id, "account_id"), _id("evt", request.event_id, "event_id")
        if len(request.blocked) > MOST_BLOCKED:
            raise Fault(INVALID_ARGUMENT, field="blocked")
        blocked = [_blocked(item) for item in request.blocked]
        call.record.object("event", event)
        call.record.detail(count=sum(item.count for item in blocked))
        await self._erasures.acknowledge(self._work(call), call.record, account, call.peer.role, event, blocked)
        return erasure_pb2.AcknowledgeResponse()


def _blocked(item: erasure_pb2.BlockedItem) -> Blocked:
    if item.cause not in CAUSES or not _KIND.fullmatch(item.kind) or not item.count:
        raise Fault(INVALID_ARGUMENT, field="blocked")
    try:
        until = item.until.ToDatetime(UTC) if item.HasField("until") else None
    except (ValueError, OverflowError):
        raise Fault(INVALID_ARGUMENT, field="blocked") from None
    return Blocked(item.kind, item.count, CAUSES[item.cause], until)


def _id(prefix: str, text: str, field: str) -> str:
    try:
        return check(prefix, text)
    except ValueError:
        raise Fault(INVALID_ARGUMENT, field=field) from None
