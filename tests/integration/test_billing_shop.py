"""The shop's own rules: who may buy, from which page, once per form; what it says when Valv refuses or is away."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import pytest
from aiohttp import web

from deploy.sandbox.shop.app import Shop
from deploy.sandbox.shop.config import Config
from deploy.sandbox.shop.orders import Order, Orders
from deploy.sandbox.shop.valv import Refused
from services.kit.clients import PeersConfig
from services.kit.clock import SystemClock
from services.kit.ids import Ids
from services.kit.tls import TLSConfig

ACCOUNT = "usr_01jd9xk8w0q2m3n4p5r6s7t8v9"
ORIGIN = "https://localhost:8444"
API = {"Valv-Session": "good"}
BROWSER = {"Cookie": "__Host-valv_session=good", "Accept": "text/html"}


@dataclass
class FakeValv:
    """Says what a test wants Valv to say."""

    state: str = "succeeded"
    refuses: str | None = None
    charged: list[str] = field(default_factory=list)

    async def account(self, session_token: str) -> str | None:
        return ACCOUNT if session_token == "good" else None

    async def charge(self, order: Order) -> Order:
        if self.refuses is not None:
            raise Refused(self.refuses)
        self.charged.append(order.order_id)
        return replace(order, state=self.state, charge_id="chg_1")

    async def refund(self, order: Order) -> Order:
        return replace(order, refund="succeeded")

    async def settle(self, order: Order) -> Order:
        return order if self.refuses is not None or order.state != "unknown" else await self.charge(order)


@pytest.fixture
def valv() -> FakeValv:
    return FakeValv()


@pytest.fixture
async def shop(tmp_path: Path, valv: FakeValv) -> AsyncIterator[httpx.AsyncClient]:
    here = tmp_path
    tls = TLSConfig("valv.localhost", here, here, here)
    config = Config("127.0.0.1:0", ORIGIN, here, here, "https://localhost:8443", tls, PeersConfig(), here / "shop.db")
    orders = Orders(config.database)
    runner = web.AppRunner(Shop(config, valv, orders, Ids(SystemClock())).application())  # type: ignore[arg-type]  # the test hands over what types forbid, or a stand-in
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
        yield client
    await runner.cleanup()
    orders.close()


async def test_nobody_signed_in_is_asked_to_sign_in(shop: httpx.AsyncClient) -> None:
    page = await shop.get("/", headers={"Accept": "text/html"})
    assert page.status_code == 401
    assert "https://localhost:8443" in page.text
    assert (await shop.post("/orders", json={"product": "teapot"}, headers={"Valv-Session": "old"})).status_code == 401


async def test_a_program_buys_and_gets_its_money_back(shop: httpx.AsyncClient) -> None:
    order = (await shop.post("/orders", json={"product": "teapot"}, headers=API)).json()["order"]
    assert (order["state"], order["amountMinor"], order["refund"]) == ("succeeded", 34900, "")
    refunded = (await shop.post(f"/orders/{order['orderId']}/refund", headers=API)).json()["order"]
    assert refunded["refund"] == "succeeded"
    assert (await shop.get("/orders", headers=API)).json()["orders"] == [refunded]


async def test_a_browser_buys_from_the_shops_own_page_only(shop: httpx.AsyncClient, valv: FakeValv) -> None:
    page = await shop.get("/", headers=BROWSER)
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    form = dict(re.findall(r'name="(\w+)" value="(\w+)"', page.text))
    for origin in ({}, {"Origin": "https://localhost:8443"}, {"Origin": "null"}):
        assert (await shop.post("/orders", data=form, headers={**BROWSER, **origin})).status_code == 403
    assert valv.charged == []
    for _ in range(2):  # the same form sent twice
        sent = await shop.post("/orders", data=form, headers={**BROWSER, "Origin": ORIGIN})
        assert (sent.status_code, sent.headers["Location"]) == (303, "/")
    assert len(set(valv.charged)) == 1
    assert "Refund" in (await shop.get("/", headers=BROWSER)).text


async def test_no_card_is_said_in_words(shop: httpx.AsyncClient, valv: FakeValv) -> None:
    valv.refuses = "CARD_NOT_FOUND"
    refused = await shop.post("/orders", json={"product": "lamp"}, headers=API)
    assert (refused.status_code, refused.json()["reason"]) == (409, "CARD_NOT_FOUND")
    form = {"product": "lamp", "nonce": "a"}
    sent = await shop.post("/orders", data=form, headers={**BROWSER, "Origin": ORIGIN})
    page = await shop.get(sent.headers["Location"], headers=BROWSER)
    assert "You have no card yet" in page.text


async def test_an_outcome_that_is_not_known_is_shown_as_such_and_settled_later(
    shop: httpx.AsyncClient, valv: FakeValv
) -> None:
    valv.state = "unknown"
    assert (await shop.post("/orders", json={"product": "lamp"}, headers=API)).json()["order"]["state"] == "unknown"
    valv.refuses = ""
    assert "has not said yet" in (await shop.get("/", headers=BROWSER)).text
    valv.refuses, valv.state = None, "succeeded"
    assert (await shop.get("/orders", headers=API)).json()["orders"][0]["state"] == "succeeded"


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b'{"product": 3}', b'{"product": "boat"}', b""])
async def test_bad_bodies_are_refused(shop: httpx.AsyncClient, body: bytes, valv: FakeValv) -> None:
    headers = {**API, "Content-Type": "application/json"}
    assert (await shop.post("/orders", content=body, headers=headers)).status_code == 400
    await asyncio.sleep(0)
    assert valv.charged == []


async def test_another_customers_order_is_not_there(shop: httpx.AsyncClient) -> None:
    assert (await shop.post("/orders/ord_unknown/refund", headers=API)).status_code == 404
