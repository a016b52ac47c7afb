"""Owns the way of a request: key, fault, idempotency, one transaction, answer. Must never log parameters or headers.

Idempotency as Stripe documents it (https://docs.stripe.com/api/idempotent_requests): the first answer is kept with the
effects in one transaction, whatever its status; the same key and parameters get it again; other parameters are an
`idempotency_error`; a key whose request is under way gets 409. What never began (401, 404, 409, 429, invalid
parameters) is not kept.
"""

import asyncio
import hmac
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from deploy.sandbox.psp import customers, errors, intents, refunds, setups
from deploy.sandbox.psp.faults import Fault, Faults, Kind
from deploy.sandbox.psp.ledger import Ledger
from deploy.sandbox.psp.params import Params
from deploy.sandbox.psp.store import Object, new_id
from services.kit.secret import Secret

KEY_WINDOW_SECONDS = 24 * 3600
LONGEST_KEY = 255

Operation = Callable[..., Object]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_LOG = logging.getLogger("valv.psp")

SECRET_ROUTES: tuple[tuple[str, str, Operation], ...] = (
    ("POST", "/v1/customers", customers.create),
    ("GET", "/v1/customers/{customer}", customers.read),
    ("GET", "/v1/customers/{customer}/payment_methods", customers.list_methods),
    ("GET", "/v1/payment_methods/{method}", customers.read_method),
    ("POST", "/v1/payment_methods/{method}/attach", customers.attach),
    ("POST", "/v1/payment_methods/{method}/detach", customers.detach),
    ("POST", "/v1/setup_intents", setups.create),
    ("GET", "/v1/setup_intents/{setup}", setups.read),
    ("POST", "/v1/payment_intents", intents.create),
    ("GET", "/v1/payment_intents", intents.listed),
    ("GET", "/v1/payment_intents/search", intents.search),
    ("GET", "/v1/payment_intents/{intent}", intents.read),
    ("POST", "/v1/payment_intents/{intent}/confirm", intents.confirm),
    ("POST", "/v1/payment_intents/{intent}/cancel", intents.cancel),
    ("POST", "/v1/refunds", refunds.create),
    ("GET", "/v1/refunds", refunds.listed),
    ("GET", "/v1/refunds/{refund}", refunds.read),
    ("GET", "/v1/balance", refunds.balance),
)


class Dropped(Exception):  # noqa: N818 - an ordered fault
    """The connection is to end without an answer."""


@dataclass(frozen=True)
class Keys:
    """The gateway's two API keys."""

    secret: Secret
    publishable: str


class Api:
    """Serves the operations."""

    def __init__(self, ledger: Ledger, keys: Keys, faults: Faults) -> None:
        """Take the objects, the keys and the ordered faults."""
        self._ledger = ledger
        self._keys = keys
        self._faults = faults
        self._running: set[str] = set()

    def routes(self) -> list[web.RouteDef]:
        """Return a route for each operation."""
        rows = [web.route(method, path, self._secret(operation)) for method, path, operation in SECRET_ROUTES]
        rows.append(web.post("/v1/setup_intents/{setup}/confirm", self._confirm_card))
        return rows

    def _secret(self, operation: Operation) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._answer(request, lambda: self._serve(request, operation))

        return handle

    async def _confirm_card(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, lambda: self._serve_card(request))

    async def _answer(self, request: web.Request, serve: Callable[[], Awaitable[web.Response]]) -> web.StreamResponse:
        request_id = new_id("req")
        try:
            response = await serve()
        except errors.GatewayError as error:
            response = _json(error.status, error.body)
        except Dropped:
            if request.transport is not None:
                request.transport.abort()
            response = web.Response(status=500)
        response.headers["Request-Id"] = request_id
        resource = request.match_info.route.resource
        _LOG.info(
            "gateway.request",
            extra={
                "method": request.method,
                "route": resource.canonical if resource is not None else "",
                "status": response.status,
                "request_id": request_id,
            },
        )
        return response

    def _authenticate(self, request: web.Request, *, publishable: bool) -> None:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        expected = self._keys.publishable.encode() if publishable else self._keys.secret.reveal()
        if scheme != "Bearer" or not hmac.compare_digest(key.encode(), expected):
            raise errors.unauthorized()

    async def _serve(self, request: web.Request, operation: Operation) -> web.Response:
        self._authenticate(request, publishable=False)
        fault = await self._before(request)
        params = Params(await request.text() if request.method == "POST" else request.query_string)
        key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
        if key is None:
            response = self._run(operation, params, request)
        else:
            response = await self._once(key, operation, params, request, fault)
        await self._after(fault)
        return response

    async def _serve_card(self, request: web.Request) -> web.Response:
        """Serve the card fields: the only request that carries a card number; it is read, used and dropped."""
        self._authenticate(request, publishable=True)
        fault = await self._before(request)
        params = Params(await request.text())
        setup = request.match_info["setup"]
        setups.require_secret(self._ledger, params, setup)
        response = self._run(setups.confirm, params, request)
        await self._after(fault)
        return response

    async def _once(
        self, key: str, operation: Operation, params: Params, request: web.Request, fault: Fault | None
    ) -> web.Response:
        if not 0 < len(key) <= LONGEST_KEY:
            raise errors.invalid("idempotency_key_invalid", "An idempotency key has 1 to 255 characters.")
        if key in self._running:
            raise errors.key_in_use()
        self._running.add(key)
        try:
            if fault is not None and fault.kind is Kind.SLOW_BEFORE:
                await asyncio.sleep(fault.seconds)
            fingerprint = params.fingerprint(request.method, request.path)
            self._ledger.store.forget_answers(self._ledger.now() - KEY_WINDOW_SECONDS)
            kept = self._ledger.store.answer(key)
            if kept is None:
                return self._run(operation, params, request, key=key, fingerprint=fingerprint)
            if kept.fingerprint != fingerprint:
                raise errors.key_reused()
            return _json(kept.status, json.loads(kept.body), replayed=True)
        finally:
            self._running.discard(key)

    def _run(
        self, operation: Operation, params: Params, request: web.Request, *, key: str = "", fingerprint: str = ""
    ) -> web.Response:
        """Run one operation and keep its answer, in one transaction."""
        with self._ledger.store.transaction():
            try:
                status, body = 200, operation(self._ledger, params, **request.match_info)
            except errors.GatewayError as error:
                if not error.kept:
                    raise
                status, body = error.status, error.body
            if key:
                self._ledger.store.keep_answer(key, fingerprint, status, body, self._ledger.now())
        return _json(status, body)

    async def _before(self, request: web.Request) -> Fault | None:
        fault = self._faults.take(f"{request.method} {request.path}")
        if fault is None:
            return None
        if fault.kind is Kind.SLOW_BEFORE and "Idempotency-Key" not in request.headers:
            await asyncio.sleep(fault.seconds)
        _refuse(fault)
        return fault

    @staticmethod
    async def _after(fault: Fault | None) -> None:
        if fault is None:
            return
        if fault.kind is Kind.SLOW_AFTER:
            await asyncio.sleep(fault.seconds)
        if fault.kind is Kind.DROP_AFTER:
            raise Dropped
        if fault.kind is Kind.ERROR_AFTER:
            raise errors.internal()


def _refuse(fault: Fault) -> None:
    if fault.kind is Kind.DROP_BEFORE:
        raise Dropped
    if fault.kind is Kind.ERROR_BEFORE:
        raise errors.internal()
    if fault.kind is Kind.CONFLICT:
        raise errors.lock_timeout()
    if fault.kind is Kind.RATE_LIMIT:
        raise errors.rate_limited()


def _json(status: int, body: dict[str, Any], *, replayed: bool = False) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    if replayed:
        headers["Idempotent-Replayed"] = "true"
    return web.json_response(body, status=status, headers=headers)
