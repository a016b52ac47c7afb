"""Owns SetupIntents: how a card gets from the browser's card fields to a payment method."""

import hmac

from deploy.sandbox.psp import customers, errors, numbers
from deploy.sandbox.psp.ledger import Ledger
from deploy.sandbox.psp.params import Params
from deploy.sandbox.psp.store import Object, new_id

_CARD = "payment_method_data[card]"


def create(ledger: Ledger, params: Params) -> Object:
    """Create a SetupIntent that card fields can confirm."""
    params.only("customer", "usage", "allowed_payment_method_types[]", "metadata[]", "description")
    customer = params.text("customer", "") or None
    if customer is not None:
        ledger.read("customer", customer, param="customer")
    body = ledger.new("setup_intent", "seti", params)
    body |= {
        "client_secret": body["id"] + new_id("_secret"),
        "customer": customer,
        "usage": params.choice("usage", {"off_session", "on_session"}, "off_session"),
        "payment_method": None,
        "payment_method_types": ["card"],
        "status": "requires_payment_method",
        "last_setup_error": None,
    }
    ledger.store.add("setup_intent", body, parent=customer or "")
    return body


def read(ledger: Ledger, params: Params, setup: str) -> Object:
    """Read a SetupIntent; `expand[0]=payment_method` includes the payment method."""
    params.only("expand[]")
    body = ledger.read("setup_intent", setup)
    if "payment_method" in params.group("expand").values() and body["payment_method"] is not None:
        body["payment_method"] = ledger.read("payment_method", body["payment_method"])
    return body


def require_secret(ledger: Ledger, params: Params, setup: str) -> None:
    """Let a publishable key act only on the SetupIntent whose client secret it has."""
    body = ledger.read("setup_intent", setup)
    if not hmac.compare_digest(params.text("client_secret").encode(), str(body["client_secret"]).encode()):
        raise errors.missing("setup_intent")


def confirm(ledger: Ledger, params: Params, setup: str) -> Object:
    """Take a card from the card fields. The number and code are used here and dropped."""
    params.only("client_secret", "payment_method_data[]", "return_url")
    body = ledger.read("setup_intent", setup)
    if body["status"] == "succeeded":
        message = "It has already succeeded."
        raise errors.unexpected_state("setup_intent_unexpected_state", message, setup_intent=public(body))
    if params.text("payment_method_data[type]") != "card":
        raise errors.invalid("parameter_invalid", "Only cards.", param="payment_method_data[type]")
    entry = numbers.Entry(
        params.text(_CARD + "[number]"),
        params.text(_CARD + "[exp_month]"),
        params.text(_CARD + "[exp_year]"),
        params.text(_CARD + "[cvc]"),
    )
    try:
        card = numbers.check(entry, ledger.today(), ledger.fingerprint_key)
    except errors.GatewayError as error:
        body["last_setup_error"] = dict(error.body["error"])
        ledger.store.put(body)
        raise
    method = customers.add_method(ledger, card, body["customer"])
    body |= {"payment_method": method["id"], "status": "succeeded", "last_setup_error": None}
    ledger.store.put(body)
    return public(body)


def public(body: Object) -> Object:
    """Return what a publishable key may see."""
    return {key: body[key] for key in ("id", "object", "status", "payment_method", "livemode", "last_setup_error")}
