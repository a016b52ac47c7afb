"""Owns the composition of the gateway: the one place where its parts meet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.gateway import assets, contracts, openapi
from services.gateway.authz import Authorizer, AuthSessions
from services.gateway.composition import Composer
from services.gateway.handlers import EnvoyServices
from services.gateway.ledger import Ledger
from services.gateway.publisher import Publisher
from services.gateway.sources import Certificate, Endpoints
from services.gateway.xds.ads import Ads
from services.gateway.xds.listeners import COLLECTOR
from services.kit.main import Application
from services.kit.shipping import AuditSender
from services.kit.watch import RevocationState, Watch

if TYPE_CHECKING:
    from services.gateway.assets import Page
    from services.gateway.config import Config
    from services.kit.main import Runtime


async def build(config: Config, runtime: Runtime) -> Application:
    """Build the gateway.

    Raises:
        PolicyError: A contract contradicts itself.
        AssetError: The web client cannot be served.
    """
    exposed = contracts.exposed()
    composer = Composer(config, exposed, pages(config))
    ads = Ads(runtime.log)
    ledger = Ledger(AuditSender(runtime.channels), runtime.clock, runtime.ids)
    publisher = Publisher(composer, ads, ledger, runtime.log)
    state = RevocationState(runtime.clock, on_keys=lambda jwks: publisher.offer(jwks=jwks))
    auth = runtime.channels.get("auth")
    certificate = Certificate(config.public.certificate, config.public.key, publisher, runtime.log)
    addresses = {name: address for name, address in _addresses(config).items() if address is not None}
    return Application(
        foreign=(EnvoyServices(ads, Authorizer(AuthSessions(auth)), config.tls.trust_domain, runtime.log),),
        tasks=(
            Watch(auth, state, runtime.clock).run,
            Endpoints(addresses, publisher, runtime.log).run,
            certificate.run,
            publisher.run,
        ),
        probes=(publisher.ready,),
    )


def pages(config: Config) -> tuple[Page, ...]:
    """Return everything Envoy answers by itself: the web client and the OpenAPI document."""
    client = assets.read(config.web.assets, config.web.card_origin)
    described = openapi.document(contracts.exposed(), config.public.issuer)
    return (*client, assets.document(openapi.PATH, described, "application/json"))


def _addresses(config: Config) -> dict[str, str | None]:
    upstreams = config.upstreams
    return {
        "auth": upstreams.auth,
        "files": upstreams.files,
        "files_data": upstreams.files_data,
        "billing": upstreams.billing,
        "audit": upstreams.audit,
        COLLECTOR: config.collector,
    }
