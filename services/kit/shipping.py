"""Owns the way of records to the audit service: what a sender promises, and how it is kept over gRPC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import grpc

from valv.audit.v1 import append_pb2, append_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.kit.clients import Channels

BATCH = 256
"""Records in one call."""
_SECONDS = 10.0


class Away(Exception):  # noqa: N818 - a state of the other side
    """The log could not be reached or refused; what to do is to try again later."""


class Sender(Protocol):
    """The log as the relay sees it."""

    async def head(self, epoch: str = "", shipped: int = 0) -> tuple[str, int]:
        """Return (epoch, highest number) the log holds of this producer; ("", 0) when nothing.

        ``epoch`` and ``shipped`` tell the log that nothing more was shipped: a log that was restored waits for that.
        """
        ...

    async def append(self, epoch: str, predecessor: str, first_number: int, events: Sequence[bytes]) -> int:
        """Append; return the highest number held. Raises Away."""
        ...


class AuditSender:
    """Sends records to AppendService as this process's identity."""

    def __init__(self, channels: Channels) -> None:
        """Take the channels; the certificate names the producer."""
        self._channels = channels

    async def head(self, epoch: str = "", shipped: int = 0) -> tuple[str, int]:
        """Return (epoch, highest number) the log holds of this producer; tell it up to where all was shipped."""
        request = append_pb2.GetHeadRequest(epoch=epoch, shipped_number=shipped)
        try:
            reply = await self._stub().GetHead(request, timeout=_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise Away from error
        return reply.epoch, reply.highest_number

    async def append(self, epoch: str, predecessor: str, first_number: int, events: Sequence[bytes]) -> int:
        """Append; return the highest number held."""
        request = append_pb2.AppendRequest(
            epoch=epoch, predecessor=predecessor, first_number=first_number, events=events
        )
        try:
            reply = await self._stub().Append(request, timeout=_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise Away from error
        return reply.highest_number

    def _stub(self) -> append_pb2_grpc.AppendServiceAsyncStub:
        return append_pb2_grpc.AppendServiceStub(self._channels.get("audit"))
