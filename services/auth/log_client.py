"""Owns the asking of the audit log for receipts, over gRPC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc

from services.auth.erasures.receipts import ReceiptsAway
from valv.audit.v1 import receipt_pb2, receipt_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Sequence

_SECONDS = 10.0


class LogClient:
    """The log, as far as receipts go."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Take the channel to audit."""
        self._stub: Any = receipt_pb2_grpc.ReceiptServiceStub(channel)

    async def receipts(self, account_id: str, events: Sequence[str]) -> Sequence[bytes]:
        """Return the receipts of a customer's events, in order. Raises ReceiptsAway."""
        request = receipt_pb2.DeliverReceiptsRequest(account_id=account_id, events=events)
        try:
            reply = await self._stub.DeliverReceipts(request, timeout=_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise ReceiptsAway from error
        return [receipt.encode("utf-8") for receipt in reply.receipts]
