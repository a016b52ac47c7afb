"""Owns PaymentIntents: one intent takes money at most once, however often it is confirmed."""

import re

from deploy.sandbox.psp import errors
from deploy.sandbox.psp.ledger import Ledger
from deploy.sandbox.psp.params import Params
from deploy.sandbox.psp.store import Object, new_id

CURRENCIES = frozenset({"sek", "eur", "usd", "nok", "dkk", "gbp"})
LEAST = {"sek": 300, "nok": 300, "dkk": 250, "gbp": 30}
MOST = 99_999_999
_BY_METADATA = re.compile(r"metadata\['([a-z_]{1,40})'\]:'([A-Za-z0-9_\-]{1,100})'")


def create(ledger: Ledger, params: Params) -> Object:
    """Create an intent. It takes no money until it is confirmed."""
    params.only("amount", "currency", "customer", "payment_method", "allowed_payment_method_types[]", "metadata[]")
    amount, currency = params.number("amount"), params.text("currency")
    if currency not in CURRENCIES:
        raise errors.invalid("invalid_currency", "The sandbox does not know this currency.", param="currency")
    if amount < LEAST.get(currency, 50):
        raise errors.invalid("amount_too_small", "The amount is below the least that can be charged.", param="amount")
    if amount > MOST:
        raise errors.invalid("amount_too_large", "The amount is above the most that can be charged.", param="amount")
    customer, method = params.text("customer"), params.text("payment_method")
    ledger.read("customer", customer, param="customer")
    if ledger.read("payment_method", method, param="payment_method")["customer"] != customer:
        raise errors.invalid("payment_method_unexpected_state", "It is not this customer's.", param="payment_method")
    body = ledger.new("payment_intent", "pi", params)
    body |= {
        "amount": amount,
        "amount_received": 0,
        "currency": currency,
        "customer": customer,
        "payment_method": method,
        "payment_method_types": ["card"],
        "capture_method": "automatic",
        "status": "requires_confirmation",
        "latest_charge": None,
        "last_payment_error": None,
        "cancellation_reason": None,
        "canceled_at": None,
    }
    ledger.store.add("payment_intent", body, parent=customer)
    return body


def read(ledger: Ledger, params: Params, intent: str) -> Object:
    """Read an intent."""
    params.only()
    return ledger.read("payment_intent", intent)


def listed(ledger: Ledger, params: Params) -> Object:
    """List intents, of one customer if asked."""
    params.only("customer", "limit", "starting_after")
    return ledger.page("payment_intent", params, parent=params.text("customer", "") or None)


def search(ledger: Ledger, params: Params) -> Object:
    """Search by one metadata value: `metadata['name']:'value'`."""
    params.only("query", "limit")
    found = _BY_METADATA.fullmatch(params.text("query"))
    if found is None:
        raise errors.invalid("parameter_invalid", "The sandbox searches by one metadata value.", param="query")
    name, value = found.groups()
    page = ledger.page(
        "payment_intent", params, parent=None, match=lambda body: bool(body["metadata"].get(name) == value)
    )
    return {**page, "object": "search_result", "url": "/v1/payment_intents/search", "next_page": None}


def confirm(ledger: Ledger, params: Params, intent: str) -> Object:
    """Take the money, or decline. A second confirmation of a succeeded intent is refused."""
    params.only("off_session")
    body = ledger.read("payment_intent", intent)
    _require_open(body)
    method = ledger.read("payment_method", body["payment_method"], param="payment_method")
    if method["customer"] != body["customer"]:
        raise errors.invalid("payment_method_unexpected_state", "It was detached.", param="payment_method")
    charge = new_id("ch")
    decline = ledger.store.behaviour(method["id"])
    if decline:
        error = errors.card("card_declined", decline_code=decline)
        body |= {"status": "requires_payment_method", "latest_charge": charge}
        body["last_payment_error"] = dict(error.body["error"])
        ledger.store.put(body)
        raise errors.card("card_declined", decline_code=decline, charge=charge, payment_intent=body)
    body |= {"status": "succeeded", "amount_received": body["amount"], "latest_charge": charge}
    ledger.store.put(body)
    return body


def cancel(ledger: Ledger, params: Params, intent: str) -> Object:
    """Cancel an intent that has taken no money."""
    params.only("cancellation_reason")
    body = ledger.read("payment_intent", intent)
    _require_open(body, "requires_payment_method")
    reason = params.choice("cancellation_reason", {"abandoned", "duplicate", "requested_by_customer"}, "abandoned")
    body |= {"status": "canceled", "cancellation_reason": reason, "canceled_at": ledger.now()}
    ledger.store.put(body)
    return body


def _require_open(body: Object, *also: str) -> None:
    if body["status"] not in {"requires_confirmation", *also}:
        message = f"This PaymentIntent's state is {body['status']}."
        raise errors.unexpected_state("payment_intent_unexpected_state", message, payment_intent=body)
