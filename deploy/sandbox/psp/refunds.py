"""Owns refunds: together they never exceed what was captured."""

from deploy.sandbox.psp import errors
from deploy.sandbox.psp.ledger import Ledger
from deploy.sandbox.psp.params import Params
from deploy.sandbox.psp.store import Object

REASONS = frozenset({"requested_by_customer", "duplicate", "fraudulent"})


def create(ledger: Ledger, params: Params) -> Object:
    """Give back part or all of what an intent took."""
    params.only("payment_intent", "amount", "metadata[]", "reason")
    intent = ledger.read("payment_intent", params.text("payment_intent"), param="payment_intent")
    if intent["status"] != "succeeded":
        raise errors.unexpected_state("payment_intent_unexpected_state", "This PaymentIntent has taken no money.")
    left = intent["amount_received"] - sum(row["amount"] for row in ledger.store.newest("refund", parent=intent["id"]))
    amount = params.number("amount", left)
    if left == 0:
        raise errors.unexpected_state("charge_already_refunded", "The charge has already been refunded.")
    if amount == 0:
        raise errors.invalid("parameter_invalid_integer", "The amount must be more than zero.", param="amount")
    if amount > left:
        raise errors.unexpected_state("amount_too_large", "The refund is greater than what is left of the charge.")
    body = ledger.new("refund", "re", params)
    body |= {
        "amount": amount,
        "currency": intent["currency"],
        "payment_intent": intent["id"],
        "charge": intent["latest_charge"],
        "status": "succeeded",
        "reason": params.choice("reason", REASONS, "requested_by_customer"),
    }
    ledger.store.add("refund", body, parent=intent["id"])
    return body


def read(ledger: Ledger, params: Params, refund: str) -> Object:
    """Read a refund."""
    params.only()
    return ledger.read("refund", refund)


def listed(ledger: Ledger, params: Params) -> Object:
    """List refunds, of one intent if asked."""
    params.only("payment_intent", "limit", "starting_after")
    return ledger.page("refund", params, parent=params.text("payment_intent", "") or None)


def balance(ledger: Ledger, params: Params) -> Object:
    """Sum up what was taken and not given back, by currency."""
    params.only()
    sums: dict[str, int] = {}
    for intent in ledger.store.newest("payment_intent"):
        sums[intent["currency"]] = sums.get(intent["currency"], 0) + intent["amount_received"]
    for refund in ledger.store.newest("refund"):
        sums[refund["currency"]] -= refund["amount"]
    available = [{"amount": amount, "currency": currency} for currency, amount in sorted(sums.items())]
    return {"object": "balance", "available": available, "pending": [], "livemode": False}
