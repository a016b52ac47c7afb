"""Owns customers and their payment methods."""

from deploy.sandbox.psp import errors
from deploy.sandbox.psp.ledger import Ledger
from deploy.sandbox.psp.numbers import Checked
from deploy.sandbox.psp.params import Params
from deploy.sandbox.psp.store import Object, new_id


def create(ledger: Ledger, params: Params) -> Object:
    """Create a customer."""
    params.only("metadata[]", "description")
    body = ledger.new("customer", "cus", params) | {"description": params.text("description", "") or None}
    ledger.store.add("customer", body)
    return body


def read(ledger: Ledger, _params: Params, customer: str) -> Object:
    """Read a customer."""
    return ledger.read("customer", customer)


def add_method(ledger: Ledger, card: Checked, customer: str | None) -> Object:
    """Keep a card as a payment method: brand, last four digits, expiry and fingerprint, nothing else."""
    body: Object = {
        "id": new_id("pm"),
        "object": "payment_method",
        "type": "card",
        "created": ledger.now(),
        "livemode": False,
        "metadata": {},
        "customer": customer,
        "card": {
            "brand": card.brand,
            "last4": card.last4,
            "exp_month": card.exp_month,
            "exp_year": card.exp_year,
            "fingerprint": card.fingerprint,
            "funding": "credit",
            "country": "SE",
        },
    }
    ledger.store.add("payment_method", body, parent=customer or "", behaviour=card.charge)
    return body


def read_method(ledger: Ledger, _params: Params, method: str) -> Object:
    """Read a payment method."""
    return ledger.read("payment_method", method)


def list_methods(ledger: Ledger, params: Params, customer: str) -> Object:
    """List a customer's payment methods."""
    params.only("limit", "starting_after", "type")
    ledger.read("customer", customer)
    return ledger.page("payment_method", params, parent=customer)


def attach(ledger: Ledger, params: Params, method: str) -> Object:
    """Attach a payment method to a customer."""
    params.only("customer")
    customer = params.text("customer")
    ledger.read("customer", customer, param="customer")
    body = ledger.read("payment_method", method)
    if body["customer"] not in {None, customer}:
        raise errors.unexpected_state("payment_method_unexpected_state", "It belongs to another customer.")
    body["customer"] = customer
    ledger.store.put(body, parent=customer)
    return body


def detach(ledger: Ledger, params: Params, method: str) -> Object:
    """Detach a payment method; it can never be charged again."""
    params.only()
    body = ledger.read("payment_method", method)
    if body["customer"] is None:
        raise errors.unexpected_state("payment_method_unexpected_state", "It is not attached to a customer.")
    body["customer"] = None
    ledger.store.put(body, parent="")
    return body
