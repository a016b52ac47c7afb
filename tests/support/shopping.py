"""What a person does with a card: the payment gateway's own fields in a browser, then the shop."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.support.person import Person


def add_card(person: Person, number: str = "4242424242424242") -> dict[str, Any]:
    """Add a card as the page does: the card goes from here to the payment gateway; Valv is told the set-up's id."""
    setup = person.http.post("/v1/cards:setUp", json={}).json()
    script = urlsplit(setup["scriptUrl"])
    gateway = f"{script.scheme}://{script.netloc}"
    confirm_setup(person.live.client(gateway), setup, number)
    reply = person.http.post("/v1/cards", json={"setupId": setup["setupId"]})
    assert reply.status_code == 200, reply.text
    return dict(reply.json()["card"])


def confirm_setup(browser: httpx.Client, setup: dict[str, Any], number: str) -> None:
    """Send a card to the payment gateway as its card fields do."""
    secret = setup["clientSecret"]
    card = {"number": number, "exp_month": "12", "exp_year": "2030", "cvc": "123"}
    form = {"client_secret": secret, "payment_method_data[type]": "card"}
    form |= {f"payment_method_data[card][{name}]": value for name, value in card.items()}
    headers = {"Authorization": f"Bearer {setup['publishableKey']}"}
    url = f"/v1/setup_intents/{secret.split('_secret_')[0]}/confirm"
    reply = browser.post(url, data=form, headers=headers)
    assert reply.status_code == 200, reply.text


class Shopper:
    """Somebody in the shop, known there by the session they have at Valv."""

    def __init__(self, person: Person) -> None:
        """Open the shop."""
        address = f"https://localhost:{person.live.layout.ports.shop}"
        self._http = person.live.client(address, headers={"Valv-Session": person.token})

    def buy(self, product: str = "teapot") -> str:
        """Buy a thing; return the order's id."""
        reply = self._http.post("/orders", json={"product": product})
        assert reply.status_code == 200, reply.text
        return str(reply.json()["order"]["orderId"])

    def refund(self, order: str) -> None:
        """Give the money back."""
        reply = self._http.post(f"/orders/{order}/refund", json={})
        assert reply.status_code == 200, reply.text
