"""Owns the shop's calls to Valv, over mTLS gRPC as the identity `shop`: who is signed in, charge, refund."""

from dataclasses import replace
from typing import Any

import grpc

from deploy.sandbox.shop.orders import CURRENCY, SETTLED, Order
from services.kit.clients import Channels, reason_of
from valv.auth.v1 import session_pb2, session_pb2_grpc
from valv.billing.v1 import charge_pb2, charge_pb2_grpc

SECONDS = 30.0
_CHARGES = {
    charge_pb2.Charge.STATE_PENDING: "pending",
    charge_pb2.Charge.STATE_SUCCEEDED: "succeeded",
    charge_pb2.Charge.STATE_DECLINED: "declined",
    charge_pb2.Charge.STATE_UNKNOWN: "unknown",
}
_REFUNDS = {
    charge_pb2.Refund.STATE_PENDING: "pending",
    charge_pb2.Refund.STATE_SUCCEEDED: "succeeded",
    charge_pb2.Refund.STATE_FAILED: "failed",
    charge_pb2.Refund.STATE_UNKNOWN: "unknown",
}


class Refused(Exception):  # noqa: N818 - an answer of Valv's
    """Valv refused; `reason` is its stable reason, empty when it could not be reached."""

    def __init__(self, reason: str) -> None:
        """Take the reason."""
        super().__init__(reason)
        self.reason = reason


class Valv:
    """Valv, as a team's own application sees it."""

    def __init__(self, channels: Channels) -> None:
        """Take the channels to auth and billing."""
        self._sessions: Any = session_pb2_grpc.SessionServiceStub(channels.get("auth"))
        self._charges: Any = charge_pb2_grpc.ChargeServiceStub(channels.get("billing"))

    async def account(self, session_token: str) -> str | None:
        """Return who is signed in with a session token, if anyone is.

        Raises:
            Refused: Valv could not be asked.
        """
        try:
            reply = await self._sessions.Check(session_pb2.CheckRequest(session_token=session_token), timeout=SECONDS)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAUTHENTICATED:
                return None
            raise Refused(reason_of(error)) from error
        return str(reply.account_id)

    async def charge(self, order: Order) -> Order:
        """Charge for an order. The order's id is the idempotency key, so asking again is safe, and how to settle.

        Raises:
            Refused: Nothing was charged for the given reason, or Valv could not be reached and nothing is known.
        """
        request = charge_pb2.CreateChargeRequest(
            idempotency_key=order.order_id,
            account_id=order.account_id,
            amount=charge_pb2.Money(currency=CURRENCY, minor=order.amount_minor),
            reference=order.order_id,
        )
        try:
            reply = await self._charges.CreateCharge(request, timeout=SECONDS)
        except grpc.aio.AioRpcError as error:
            raise Refused(reason_of(error)) from error
        charge = reply.charge
        return replace(
            order, state=_CHARGES[charge.state], decline_code=charge.decline_code, charge_id=charge.charge_id
        )

    async def refund(self, order: Order) -> Order:
        """Give all of it back, once.

        Raises:
            Refused: Nothing was given back for the given reason, or nothing is known.
        """
        request = charge_pb2.CreateRefundRequest(idempotency_key=order.order_id, charge_id=order.charge_id)
        try:
            reply = await self._charges.CreateRefund(request, timeout=SECONDS)
        except grpc.aio.AioRpcError as error:
            raise Refused(reason_of(error)) from error
        return replace(order, refund=_REFUNDS[reply.refund.state])

    async def settle(self, order: Order) -> Order:
        """Ask again about what is not settled; unchanged when Valv does not say."""
        try:
            if order.state not in SETTLED:
                order = await self.charge(order)
            if order.refund in {"pending", "unknown"}:
                order = await self.refund(order)
        except Refused:
            return order
        return order
