"""The operators' search on the wire: parse, one domain call, map.

Owns the mapping, and that each customer whose events are shown is told in the transaction that records the search.
"""

from google.api.httpbody_pb2 import HttpBody

from services.audit import wire
from services.audit.activity import Activity
from services.audit.journal import Journal
from services.audit.search.search import Search
from services.kit.call import Call
from services.kit.faults import INVALID_ARGUMENT, NOT_FOUND, Fault
from services.kit.ids import check
from valv.audit.v1 import search_pb2

_CAUSES = {
    search_pb2.SEARCH_REASON_REVIEW: "review",
    search_pb2.SEARCH_REASON_OWNER: "owner",
    search_pb2.SEARCH_REASON_COMPROMISED: "compromised",
    search_pb2.SEARCH_REASON_ABUSE: "abuse",
    search_pb2.SEARCH_REASON_LEGAL: "legal",
}


class SearchHandlers:
    """SearchService."""

    def __init__(self, search: Search, activity: Activity, journal: Journal) -> None:
        """Take the search, what writes receipts, and where customers are told."""
        self._search, self._activity, self._journal = search, activity, journal

    async def search_events(
        self, request: search_pb2.SearchEventsRequest, call: Call
    ) -> search_pb2.SearchEventsResponse:
        """Find events."""
        cause, operator = _cause(request.reason), call.peer.name or ""
        terms = wire.terms_of(request, subject=request.subject, actor=request.actor)
        found = await self._search.page(operator, terms, request.page_size, request.page_token)
        connection = await call.tx()
        for customer, count in found.customers.items():
            await self._journal.read_by(connection, operator, customer, cause, count, call.request_id)
        call.record.detail(count=len(found.shown), cause=cause)
        if terms.names:
            call.record.detail(filters=",".join(terms.names))
        return search_pb2.SearchEventsResponse(
            activities=[wire.activity_message(shown) for shown in found.shown],
            next_page_token=found.next_token,
            at_least=found.count.at_least if found.count else 0,
            counted_all=found.count.exact if found.count else False,
        )

    async def get_event_receipt(self, request: search_pb2.GetEventReceiptRequest, call: Call) -> HttpBody:
        """Return the receipt of an event."""
        cause = _cause(request.reason)
        try:
            check("evt", request.event)
        except ValueError:
            raise Fault(NOT_FOUND) from None
        call.record.object("event", request.event)
        call.record.detail(cause=cause)
        call.record.subject, receipt = await self._activity.anyones(request.event)
        return HttpBody(content_type=wire.TEXT, data=receipt)


def _cause(reason: search_pb2.SearchReason.ValueType) -> str:
    if reason not in _CAUSES:
        raise Fault(INVALID_ARGUMENT, field="reason")
    return _CAUSES[reason]
