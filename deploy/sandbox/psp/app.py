"""Owns the composition of the sandbox gateway and its TLS."""

import logging
import ssl
from dataclasses import dataclass

from aiohttp import web

from deploy.sandbox.psp.api import Api, Keys
from deploy.sandbox.psp.config import Config
from deploy.sandbox.psp.faults import Fault, Faults, Kind
from deploy.sandbox.psp.ledger import Ledger
from deploy.sandbox.psp.page import Pages
from deploy.sandbox.psp.store import Store
from services.kit.clock import Clock
from services.kit.secret import Secret

LARGEST_REQUEST = 16 * 1024


@dataclass(frozen=True)
class Gateway:
    """A running gateway."""

    runner: web.AppRunner
    store: Store
    port: int

    async def close(self) -> None:
        """Stop serving and close the database."""
        await self.runner.cleanup()
        self.store.close()


def tls_context(config: Config) -> ssl.SSLContext:
    """Serve TLS 1.3 and choose the suite ourselves: OpenSSL's order puts the 256-bit ones first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    context.load_cert_chain(config.certificate, config.key)
    return context


def application(config: Config, store: Store, clock: Clock) -> web.Application:
    """Compose the routes."""
    keys = Keys(Secret(config.secret_key_file.read_bytes().strip()), config.publishable_key)
    faults = Faults()
    app = web.Application(client_max_size=LARGEST_REQUEST)
    app.add_routes(Api(Ledger(store, clock), keys, faults).routes())
    app.add_routes(Pages(config.publishable_key, config.pages).routes())
    if config.faults:
        app.add_routes(_control(faults))
    return app


async def start(config: Config, clock: Clock) -> Gateway:
    """Serve until closed. Port 0 takes a free one."""
    logging.getLogger("aiohttp.access").disabled = True
    store = Store(config.database)
    runner = web.AppRunner(application(config, store, clock), access_log=None)
    await runner.setup()
    host, port = config.address
    site = web.TCPSite(runner, host, port, ssl_context=tls_context(config))
    await site.start()
    return Gateway(runner, store, int(runner.addresses[0][1]))


def _control(faults: Faults) -> list[web.RouteDef]:
    """Let tests order faults: `POST /sandbox/faults` with pattern, kind, count, seconds; `DELETE` forgets them."""

    async def order(request: web.Request) -> web.Response:
        asked = await request.json()
        faults.order(
            Fault(
                pattern=str(asked["pattern"]),
                kind=Kind(asked["kind"]),
                count=int(asked.get("count", 1)),
                seconds=float(asked.get("seconds", 0)),
            )
        )
        return web.json_response({"ordered": True})

    async def clear(_request: web.Request) -> web.Response:
        faults.clear()
        return web.json_response({"ordered": False})

    return [web.post("/sandbox/faults", order), web.delete("/sandbox/faults", clear)]
