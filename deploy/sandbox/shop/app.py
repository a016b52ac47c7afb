"""Owns the shop's routes: a page for browsers and the same as JSON for programs.

A session comes as Valv's cookie (a browser on the same host) or as the header `Valv-Session`. A request that changes
something and comes with the cookie must come from the shop's own page (Origin). Must never log or keep a session token.
"""

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace

from aiohttp import web

from deploy.sandbox.shop import page
from deploy.sandbox.shop.config import Config
from deploy.sandbox.shop.orders import PRODUCTS, Order, Orders
from deploy.sandbox.shop.valv import Refused, Valv
from services.kit.clients import Channels
from services.kit.clock import Clock
from services.kit.ids import Ids
from services.kit.tls import TLSMaterial

SESSION_COOKIE = "__Host-valv_session"
SESSION_HEADER = "Valv-Session"
LARGEST_REQUEST = 4096
LONGEST_NONCE = 64

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Answer(Exception):  # noqa: N818 - how a request ends
    """Something other than success: an HTTP status, a stable reason, and words."""

    def __init__(self, status: int, reason: str, text: str) -> None:
        """Take all three."""
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.text = text


class Shop:
    """Serves the shop."""

    def __init__(self, config: Config, valv: Valv, orders: Orders, ids: Ids) -> None:
        """Take Valv, the orders and the maker of ids."""
        self._config = config
        self._valv = valv
        self._orders = orders
        self._ids = ids

    def application(self) -> web.Application:
        """Return the routes."""
        app = web.Application(client_max_size=LARGEST_REQUEST, middlewares=[_answers])
        app.add_routes(
            [
                web.get("/", self._home),
                web.get("/shop.css", _css),
                web.get("/healthz", _health),
                web.get("/orders", self._list),
                web.post("/orders", self._buy),
                web.post("/orders/{order}/refund", self._refund),
            ]
        )
        return app

    async def _home(self, request: web.Request) -> web.Response:
        account = await self._account(request)
        orders = [] if account is None else [await self._settled(order) for order in self._orders.of(account)]
        return page.shop(account, orders, self._config.valv, page.NOTES.get(request.query.get("note", "-"), ""))

    async def _list(self, request: web.Request) -> web.Response:
        account = await self._customer(request)
        orders = [await self._settled(order) for order in self._orders.of(account)]
        return web.json_response({"orders": [_json(order) for order in orders]}, headers=page.HEADERS)

    async def _buy(self, request: web.Request) -> web.StreamResponse:
        self._require_own_page(request)
        account = await self._customer(request)
        asked = await _body(request)
        product, nonce = PRODUCTS.get(asked.get("product", "")), asked.get("nonce", "")
        if product is None:
            raise Answer(400, "PRODUCT_UNKNOWN", "The shop does not have that.")
        if len(nonce) > LONGEST_NONCE:
            raise Answer(400, "NONCE_INVALID", "The nonce is at most 64 characters.")
        order_id = self._ids.new("ord")
        order = self._orders.add(Order(order_id, account, nonce or order_id, product.product, product.price_minor))
        return await self._told(request, order, self._valv.charge)

    async def _refund(self, request: web.Request) -> web.StreamResponse:
        self._require_own_page(request)
        account = await self._customer(request)
        order = self._orders.get(account, request.match_info["order"])
        if order is None:
            raise Answer(404, "ORDER_NOT_FOUND", "There is no such order.")
        if order.state != "succeeded":
            raise Answer(409, "ORDER_NOT_PAID", "The order was not paid, so there is nothing to give back.")
        return await self._told(request, order, self._valv.refund)

    async def _told(
        self, request: web.Request, order: Order, ask: Callable[[Order], Awaitable[Order]]
    ) -> web.StreamResponse:
        """Ask Valv, keep what it says, and tell it: as JSON, or by going back to the page."""
        reason = None
        try:
            order = await ask(order)
        except Refused as refused:
            reason = refused.reason
            if reason == "CARD_NOT_FOUND":
                order = replace(order, state="declined", decline_code="no_card")
        self._orders.put(order)
        if _wants_json(request):
            status = 200 if reason is None else 503 if reason == "" else 409
            return web.json_response({"order": _json(order), "reason": reason}, status=status, headers=page.HEADERS)
        raise web.HTTPSeeOther("/" if reason is None else f"/?note={reason}")

    async def _settled(self, order: Order) -> Order:
        settled = await self._valv.settle(order)
        if settled != order:
            self._orders.put(settled)
        return settled

    async def _account(self, request: web.Request) -> str | None:
        token = request.headers.get(SESSION_HEADER) or request.cookies.get(SESSION_COOKIE)
        if not token:
            return None
        try:
            return await self._valv.account(token)
        except Refused:
            raise Answer(503, "VALV_UNAVAILABLE", "Valv could not be asked who is signed in. Try again.") from None

    async def _customer(self, request: web.Request) -> str:
        account = await self._account(request)
        if account is None:
            raise Answer(401, "UNAUTHENTICATED", "Sign in with Valv first.")
        return account

    def _require_own_page(self, request: web.Request) -> None:
        """Refuse what another site's page sends with the customer's cookie."""
        origin = request.headers.get("Origin")
        if origin is None and SESSION_HEADER in request.headers:
            return
        if origin != self._config.origin:
            raise Answer(403, "CROSS_ORIGIN", "This must come from the shop's own page.")


async def start(config: Config, clock: Clock) -> Callable[[], Awaitable[None]]:
    """Serve; returns how to stop."""
    channels = Channels(TLSMaterial(config.tls, clock), config.peers, clock)
    orders = Orders(config.database)
    application = Shop(config, Valv(channels), orders, Ids(clock)).application()
    runner = web.AppRunner(application, access_log=None, handle_signals=False)
    await runner.setup()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(config.certificate, config.key)
    host, port = config.address
    await web.TCPSite(runner, host, port, ssl_context=context).start()

    async def stop() -> None:
        await runner.cleanup()
        await channels.close()
        orders.close()

    return stop


@web.middleware
async def _answers(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Answer as answer:
        if _wants_json(request):
            return web.json_response({"reason": answer.reason}, status=answer.status, headers=page.HEADERS)
        return page.problem(answer.status, answer.text)


def _wants_json(request: web.Request) -> bool:
    return "text/html" not in request.headers.get("Accept", "")


async def _body(request: web.Request) -> dict[str, str]:
    try:
        fields = await request.json() if request.content_type == "application/json" else await request.post()
    except ValueError:
        raise Answer(400, "BODY_INVALID", "The request could not be read.") from None
    if not isinstance(fields, dict) and request.content_type == "application/json":
        raise Answer(400, "BODY_INVALID", "The request could not be read.")
    return {name: value for name, value in fields.items() if isinstance(value, str)}


async def _css(_request: web.Request) -> web.Response:
    return page.css()


async def _health(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


def _json(order: Order) -> dict[str, str | int]:
    return {
        "orderId": order.order_id,
        "product": order.product,
        "amountMinor": order.amount_minor,
        "state": order.state,
        "declineCode": order.decline_code,
        "chargeId": order.charge_id,
        "refund": order.refund,
    }
