"""Owns the payment gateway's port on Stripe's API, by the official SDK. The only module that knows the vendor.

The SDK never retries and never reports telemetry; every change carries a key that billing can make again. Must never
log what goes to or comes from the gateway.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import stripe

from services.billing.egress import Egress
from services.billing.gateway import (
    FinishedSetup,
    GatewayCard,
    GatewayRefund,
    GatewayRefused,
    GatewayUnknown,
    Intent,
    IntentStatus,
    Payment,
    RefundStatus,
    Setup,
)
from services.kit.config import ConfigError
from services.kit.secret import Secret
from services.kit.telemetry import Log

METADATA = "valv_operation"
_INTENTS = {
    "requires_confirmation": IntentStatus.OPEN,
    "processing": IntentStatus.PROCESSING,
    "succeeded": IntentStatus.SUCCEEDED,
    "requires_payment_method": IntentStatus.DECLINED,
    "requires_action": IntentStatus.DECLINED,
    "canceled": IntentStatus.CANCELED,
}
_REFUNDS = {"succeeded": RefundStatus.SUCCEEDED, "failed": RefundStatus.FAILED, "canceled": RefundStatus.FAILED}
_STATE_CHANGED = frozenset({"payment_intent_unexpected_state", "payment_method_unexpected_state"})


class StripeGateway:
    """Stripe, or the sandbox gateway that speaks its API."""

    def __init__(self, address: str, key: Secret, egress: Egress, log: Log) -> None:
        """Take the gateway's address, our API key and the way out.

        Raises:
            ConfigError: STRIPE_LOG is set: it makes the SDK print what it sends.
        """
        if os.environ.get("STRIPE_LOG"):
            raise ConfigError("STRIPE_LOG must not be set")
        stripe.enable_telemetry = False
        self._egress = egress
        self._log = log
        self._client = stripe.StripeClient(
            key.text(), base_addresses={"api": address}, max_network_retries=0, http_client=egress
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._egress.close_async()

    async def create_customer(self, account: str) -> str:
        """Create the customer of an account, once per key window; the metadata says whose it is."""
        async with self._asking("create_customer"):
            made = await self._client.v1.customers.create_async(
                {"metadata": {METADATA: account}}, {"idempotency_key": f"{account}/customer"}
            )
        return made.id

    async def create_setup(self, customer: str, key: str) -> Setup:
        """Create a SetupIntent for cards, to be charged later without the customer present."""
        async with self._asking("create_setup"):
            made = await self._client.v1.setup_intents.create_async(
                {
                    "customer": customer,
                    "usage": "off_session",
                    "allowed_payment_method_types": ["card"],
                    "metadata": {METADATA: key},
                },
                {"idempotency_key": f"{key}/setup"},
            )
        return Setup(made.id, made.client_secret or "")

    async def read_setup(self, setup: str) -> FinishedSetup:
        """Read a SetupIntent with its payment method; the card counts only while it is the customer's."""
        async with self._asking("read_setup"):
            found = await self._client.v1.setup_intents.retrieve_async(setup, {"expand": ["payment_method"]})
        customer, method = _id(found.customer), found.payment_method
        if found.status != "succeeded" or method is None or isinstance(method, str) or method.card is None:
            return FinishedSetup(customer, None)
        if _id(method.customer) != customer:
            return FinishedSetup(customer, None)
        card = method.card
        return FinishedSetup(customer, GatewayCard(method.id, card.brand, card.last4, card.exp_month, card.exp_year))

    async def detach(self, method: str) -> None:
        """Detach a payment method. One that is not attached, or not known, is fine."""
        try:
            async with self._asking("detach"):
                await self._client.v1.payment_methods.detach_async(method)
        except GatewayRefused as refused:
            if refused.code not in {"resource_missing", "payment_method_unexpected_state"}:
                raise

    async def create_intent(self, payment: Payment) -> Intent:
        """Create a PaymentIntent without confirming it."""
        async with self._asking("create_intent"):
            made = await self._client.v1.payment_intents.create_async(
                {
                    "amount": payment.amount_minor,
                    "currency": payment.currency,
                    "customer": payment.customer,
                    "payment_method": payment.method,
                    "allowed_payment_method_types": ["card"],
                    "metadata": {METADATA: payment.operation},
                },
                {"idempotency_key": f"{payment.operation}/intent"},
            )
        return _intent(made)

    async def find_intent(self, operation: str) -> Intent | None:
        """Search for the PaymentIntent of an operation. Stripe's search lags behind by up to a minute."""
        async with self._asking("find_intent"):
            found = await self._client.v1.payment_intents.search_async(
                {"query": f"metadata['{METADATA}']:'{operation}'", "limit": 1}
            )
        return _intent(found.data[0]) if found.data else None

    async def confirm_intent(self, intent: str, key: str) -> Intent:
        """Confirm a PaymentIntent. An answer that its state is another means: ask."""
        try:
            async with self._asking("confirm_intent"):
                confirmed = await self._client.v1.payment_intents.confirm_async(
                    intent, {"off_session": True}, {"idempotency_key": f"{key}/confirm"}
                )
        except stripe.CardError as declined:
            return Intent(intent, IntentStatus.DECLINED, _decline_code(declined.error))
        except GatewayRefused as refused:
            if refused.code == "payment_intent_unexpected_state":
                raise GatewayUnknown(refused.code) from refused
            raise
        return _intent(confirmed)

    async def read_intent(self, intent: str) -> Intent:
        """Read a PaymentIntent."""
        async with self._asking("read_intent"):
            return _intent(await self._client.v1.payment_intents.retrieve_async(intent))

    async def cancel_intent(self, intent: str) -> Intent:
        """Cancel a PaymentIntent, or say where it stands when it can no longer be canceled."""
        try:
            async with self._asking("cancel_intent"):
                return _intent(await self._client.v1.payment_intents.cancel_async(intent))
        except GatewayRefused:
            return await self.read_intent(intent)

    async def refund(self, intent: str, amount_minor: int, operation: str) -> GatewayRefund:
        """Refund part of a PaymentIntent."""
        async with self._asking("refund"):
            made = await self._client.v1.refunds.create_async(
                {"payment_intent": intent, "amount": amount_minor, "metadata": {METADATA: operation}},
                {"idempotency_key": f"{operation}/refund"},
            )
        return _refund(made)

    async def find_refund(self, intent: str, operation: str) -> GatewayRefund | None:
        """Look through a PaymentIntent's refunds for the one of an operation."""
        async with self._asking("find_refund"):
            page = await self._client.v1.refunds.list_async({"payment_intent": intent, "limit": 100})
            async for row in page.auto_paging_iter():
                if getattr(row.metadata, METADATA, None) == operation:
                    return _refund(row)
        return None

    @asynccontextmanager
    async def _asking(self, what: str) -> AsyncIterator[None]:
        """Turn the SDK's errors into the port's. A decline passes through where it is a result."""
        try:
            yield
        except stripe.IdempotencyError as error:
            raise self._unknown(what, error) from error
        except stripe.InvalidRequestError as error:
            raise GatewayRefused(error.code or "invalid_request") from error
        except stripe.CardError as error:
            if what == "confirm_intent":
                raise
            raise GatewayRefused(_decline_code(error.error)) from error
        except stripe.StripeError as error:
            raise self._unknown(what, error) from error

    def _unknown(self, what: str, error: stripe.StripeError) -> GatewayUnknown:
        cause = type(error).__name__
        self._log.warning("gateway unknown", method=what, type=cause, status=error.http_status)
        return GatewayUnknown(cause)


def _id(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value.id)


def _intent(found: stripe.PaymentIntent) -> Intent:
    status = _INTENTS.get(found.status)
    if status is None:
        raise GatewayUnknown(found.status)
    code = ""
    if status is IntentStatus.DECLINED:
        code = (
            "authentication_required" if found.status == "requires_action" else _decline_code(found.last_payment_error)
        )
    return Intent(found.id, status, code)


def _refund(found: stripe.Refund) -> GatewayRefund:
    return GatewayRefund(found.id, _REFUNDS.get(found.status or "", RefundStatus.PENDING))


def _decline_code(error: Any) -> str:
    code = getattr(error, "decline_code", None) or getattr(error, "code", None) or "card_declined"
    return str(code)[:64]
