"""Owns the port to a payment gateway: what billing needs of one, and how one may fail. Knows no vendor.

Every method that changes something takes a key that the caller has stored or can derive again: the same key asks for
the same thing, never for a second one.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class GatewayUnknown(Exception):  # noqa: N818 - not an error of the gateway's: a state of our knowledge
    """The outcome is not known: no answer, or one that does not say. Ask; never assume."""

    def __init__(self, cause: str) -> None:
        """Take a short cause for the log."""
        super().__init__(cause)
        self.cause = cause


class GatewayRefused(Exception):  # noqa: N818 - an answer
    """The gateway refused for good and did nothing."""

    def __init__(self, code: str) -> None:
        """Take the gateway's stable code."""
        super().__init__(code)
        self.code = code


class IntentStatus(StrEnum):
    """Where a payment stands at the gateway."""

    OPEN = "open"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    CANCELED = "canceled"


@dataclass(frozen=True)
class Intent:
    """A payment at the gateway. `decline_code` is the gateway's stable code when declined."""

    intent: str
    status: IntentStatus
    decline_code: str = ""


@dataclass(frozen=True)
class Payment:
    """What to charge: `amount_minor` in the currency's minor unit; `operation` is our own id, kept with the payment."""

    operation: str
    customer: str
    method: str
    amount_minor: int
    currency: str


@dataclass(frozen=True)
class Setup:
    """A card set-up that the gateway's card fields can confirm."""

    setup: str
    client_secret: str


@dataclass(frozen=True)
class GatewayCard:
    """A card as the gateway tells of it."""

    method: str
    brand: str
    last4: str
    exp_month: int
    exp_year: int


@dataclass(frozen=True)
class FinishedSetup:
    """What became of a set-up: its customer, and the card when it succeeded and is still that customer's."""

    customer: str
    card: GatewayCard | None


class RefundStatus(StrEnum):
    """Where a refund stands at the gateway."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class GatewayRefund:
    """A refund at the gateway."""

    refund: str
    status: RefundStatus


class PaymentGateway(Protocol):
    """A payment gateway. Every method may raise GatewayUnknown or GatewayRefused."""

    async def create_customer(self, account: str) -> str:
        """Create the customer of an account, once; returns the gateway's id."""
        ...

    async def create_setup(self, customer: str, key: str) -> Setup:
        """Begin to add a card."""
        ...

    async def read_setup(self, setup: str) -> FinishedSetup:
        """Ask what became of a set-up."""
        ...

    async def detach(self, method: str) -> None:
        """Remove a card for good. A card already removed is fine."""
        ...

    async def create_intent(self, payment: Payment) -> Intent:
        """Create a payment, once per operation. Takes no money."""
        ...

    async def find_intent(self, operation: str) -> Intent | None:
        """Ask for the payment of an operation."""
        ...

    async def confirm_intent(self, intent: str, key: str) -> Intent:
        """Take the money. A payment takes it once, however often this is asked; a decline is a result."""
        ...

    async def read_intent(self, intent: str) -> Intent:
        """Ask where a payment stands."""
        ...

    async def cancel_intent(self, intent: str) -> Intent:
        """Cancel a payment that took no money; returns where it stands, which may be that it did."""
        ...

    async def refund(self, intent: str, amount_minor: int, operation: str) -> GatewayRefund:
        """Give money back, once per operation."""
        ...

    async def find_refund(self, intent: str, operation: str) -> GatewayRefund | None:
        """Ask for the refund of an operation."""
        ...
