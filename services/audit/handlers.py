"""The gRPC surface: parse, one domain call, map.

Owns nothing but the mapping. What is recorded of a call is in its policy.
"""

from google.api.httpbody_pb2 import HttpBody

from services.audit import wire
from services.audit.activity import MAX_PAGE, Activity
from services.audit.appender import Appender
from services.audit.errors import LOG_PRUNED
from services.audit.evidence.requests import Requests
from services.audit.heads import CheckpointReader
from services.audit.recovery.placing import Place
from services.audit.retention.minimum import Minimum
from services.audit.search import rows
from services.audit.store import Head, TileStore
from services.audit.tiles import Tile, TileError, cut, parse_path
from services.kit.call import Call
from services.kit.faults import INVALID_ARGUMENT, NOT_FOUND, Fault
from services.kit.ids import check
from valv.audit.v1 import activity_pb2, append_pb2, log_pb2, receipt_pb2

MAX_EVENTS = 512
MAX_BYTES = 1 << 20
MAX_RECEIPTS = 16
MAX_REQUESTS = 1000
_FORMS = {
    activity_pb2.DownloadActivityRequest.FORMAT_JSONL: ("application/jsonl", False),
    activity_pb2.DownloadActivityRequest.FORMAT_CSV: ("text/csv; charset=utf-8", False),
    activity_pb2.DownloadActivityRequest.FORMAT_RECEIPTS: ("application/jsonl", True),
}
_OCTETS = "application/octet-stream"


class AppendHandlers:
    """AppendService."""

    def __init__(self, appender: Appender, requests: Requests) -> None:
        """Take the appender, and what compares requests with the log."""
        self._appender, self._requests = appender, requests

    async def append(self, request: append_pb2.AppendRequest, call: Call) -> append_pb2.AppendResponse:
        """Append a producer's next records."""
        _require_id("epo", "epoch", request.epoch)
        if request.predecessor:
            _require_id("epo", "predecessor", request.predecessor)
        if not 1 <= request.first_number < 1 << 62:
            raise Fault(INVALID_ARGUMENT, field="first_number")
        if not 1 <= len(request.events) <= MAX_EVENTS or sum(map(len, request.events)) > MAX_BYTES:
            raise Fault(INVALID_ARGUMENT, field="events")
        place = Place(call.peer.role, request.epoch, request.predecessor, request.first_number)
        return append_pb2.AppendResponse(highest_number=await self._appender.append_serialized(place, request.events))

    async def get_head(self, request: append_pb2.GetHeadRequest, call: Call) -> append_pb2.GetHeadResponse:
        """Tell what is held of the calling producer."""
        shipped = None
        if request.epoch:
            _require_id("epo", "epoch", request.epoch)
            shipped = Head(request.epoch, request.shipped_number)
        head = await self._appender.head(call.peer.role, shipped)
        if head is None:
            return append_pb2.GetHeadResponse()
        return append_pb2.GetHeadResponse(epoch=head.epoch, highest_number=head.highest)

    async def find_unrecorded(
        self, request: append_pb2.FindUnrecordedRequest, call: Call
    ) -> append_pb2.FindUnrecordedResponse:
        """Tell which requests no entry was made in."""
        if len(request.request_ids) > MAX_REQUESTS:
            raise Fault(INVALID_ARGUMENT, field="request_ids")
        unrecorded = await self._requests.unrecorded(request.request_ids)
        return append_pb2.FindUnrecordedResponse(request_ids=unrecorded)


class ActivityHandlers:
    """ActivityService."""

    def __init__(self, activity: Activity) -> None:
        """Take the customers' view."""
        self._activity = activity

    async def list_activity(
        self, request: activity_pb2.ListActivityRequest, call: Call
    ) -> activity_pb2.ListActivityResponse:
        """List the caller's events."""
        terms = wire.terms_of(request)
        page = await self._activity.page(call.customer, request.page_size, request.page_token, terms)
        call.reply_metadata.append(("cache-control", "no-store"))
        call.record.detail(count=len(page.shown))
        activities = [wire.activity_message(shown) for shown in page.shown]
        return activity_pb2.ListActivityResponse(activities=activities, next_page_token=page.next_token)

    async def export_activity(
        self, request: activity_pb2.ExportActivityRequest, call: Call
    ) -> activity_pb2.ExportActivityResponse:
        """Return the caller's events with their receipts."""
        page = await self._activity.page(call.customer, request.page_size, request.page_token, receipts=True)
        call.reply_metadata.append(("cache-control", "no-store"))
        call.record.detail(count=len(page.shown))
        activities = [
            activity_pb2.ExportedActivity(activity=wire.activity_message(shown), receipt=receipt.decode("utf-8"))
            for shown, receipt in zip(page.shown, page.receipts, strict=True)
        ]
        return activity_pb2.ExportActivityResponse(activities=activities, next_page_token=page.next_token)

    async def download_activity(self, request: activity_pb2.DownloadActivityRequest, call: Call) -> HttpBody:
        """Return a page of the caller's events as rows of a file."""
        if request.format not in _FORMS:
            raise Fault(INVALID_ARGUMENT, field="format")
        media_type, receipts = _FORMS[request.format]
        terms = wire.terms_of(request)
        page = await self._activity.page(call.customer, MAX_PAGE, request.page_token, terms, receipts=receipts)
        call.reply_metadata.append(("cache-control", "no-store"))
        if page.next_token:
            call.reply_metadata.append(("valv-next-page-token", page.next_token))
        call.record.detail(count=len(page.shown))
        if request.format == activity_pb2.DownloadActivityRequest.FORMAT_CSV:
            data = rows.csv_rows(page.shown, header=not request.page_token)
        else:
            data = rows.jsonl(page.shown, page.receipts)
        return HttpBody(content_type=media_type, data=data)

    async def get_receipt(self, request: activity_pb2.GetReceiptRequest, call: Call) -> HttpBody:
        """Return the receipt of one of the caller's events."""
        try:
            check("evt", request.event)
        except ValueError:
            raise Fault(NOT_FOUND) from None
        call.record.object("event", request.event)
        receipt = await self._activity.receipt(call.customer, request.event)
        call.reply_metadata.append(("cache-control", "no-store"))
        return HttpBody(content_type=wire.TEXT, data=receipt)


class ReceiptHandlers:
    """ReceiptService."""

    def __init__(self, activity: Activity) -> None:
        """Take the customers' view."""
        self._activity = activity

    async def deliver_receipts(
        self, request: receipt_pb2.DeliverReceiptsRequest, call: Call
    ) -> receipt_pb2.DeliverReceiptsResponse:
        """Return receipts of events of one customer."""
        _require_id("usr", "account_id", request.account_id)
        if len(request.events) > MAX_RECEIPTS:
            raise Fault(INVALID_ARGUMENT, field="events")
        for event in request.events:
            _require_id("evt", "events", event)
        call.record.subject = request.account_id
        call.record.detail(count=len(request.events))
        receipts = [await self._activity.receipt(request.account_id, event) for event in request.events]
        return receipt_pb2.DeliverReceiptsResponse(receipts=[receipt.decode("utf-8") for receipt in receipts])


class LogHandlers:
    """LogService."""

    def __init__(self, heads: CheckpointReader, tiles: TileStore, vkey: str, minimum: Minimum) -> None:
        """Take what is public: the checkpoint, the tiles, the key, and the index below which nothing is."""
        self._heads, self._tiles, self._vkey, self._minimum = heads, tiles, vkey, minimum

    async def get_checkpoint(self, request: log_pb2.GetCheckpointRequest, call: Call) -> HttpBody:
        """Return the latest signed checkpoint."""
        latest = await self._heads.latest()
        if latest is None:
            raise Fault(NOT_FOUND)
        call.reply_metadata.append(("cache-control", "public, max-age=1"))
        return HttpBody(content_type=wire.TEXT, data=latest[0])

    async def get_tile(self, request: log_pb2.GetTileRequest, call: Call) -> HttpBody:
        """Return a tile of the signed tree; NOT_FOUND for any other path."""
        latest = await self._heads.latest()
        try:
            tile = parse_path(request.path)
        except TileError:
            raise Fault(NOT_FOUND) from None
        if latest is None or tile.leaves > latest[1].size:
            raise Fault(NOT_FOUND)
        if await self._minimum.hides(tile):
            raise Fault(LOG_PRUNED)
        data = await self._tiles.get(tile)
        if data is None and not tile.full:  # the full tile has replaced it; whoever has the older head still asks
            data = cut(await self._tiles.get(Tile(tile.level, tile.index)), tile)
        if data is None:
            raise Fault(NOT_FOUND)
        age = "max-age=31536000, immutable" if tile.full else "max-age=60"
        call.reply_metadata.append(("cache-control", f"public, {age}"))
        return HttpBody(content_type=_OCTETS, data=data)

    async def get_minimum_index(self, request: log_pb2.GetMinimumIndexRequest, call: Call) -> HttpBody:
        """Return the minimum index."""
        call.reply_metadata.append(("cache-control", "public, max-age=60"))
        return HttpBody(content_type=wire.TEXT, data=await self._minimum.statement())

    async def get_key(self, request: log_pb2.GetKeyRequest, call: Call) -> HttpBody:
        """Return the log's verifier key."""
        call.reply_metadata.append(("cache-control", "public, max-age=60"))
        return HttpBody(content_type=wire.TEXT, data=f"{self._vkey}\n".encode())


def _require_id(prefix: str, name: str, text: str) -> None:
    try:
        check(prefix, text)
    except ValueError:
        raise Fault(INVALID_ARGUMENT, field=name) from None
