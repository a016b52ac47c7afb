"""Owns the composition of the gateway: the one place where its parts meet."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from services.gateway import assets, contracts, openapi
from services.gateway.answered import Answered
from services.gateway.authz import Authorizer, AuthSessions
from services.gateway.checks import checks
from services.gateway.composition import Composer
from services.gateway.doors import Doors
from services.gateway.handlers import EnvoyServices
from services.gateway.ledger import Ledger
from services.gateway.publisher import Publisher
from services.gateway.sources import Certificate, Endpoints
from services.gateway.traces import Spans
from services.gateway.xds.ads import Ads
from services.kit import otlp
from services.kit.config import Profile
from services.kit.main import Application
from services.kit.shipping import AuditSender
from services.kit.spans import FileExporter
from services.kit.watch import RevocationState, Watch

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

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
    answered = Answered(exposed, runtime.channels, runtime.clock, runtime.log, config.checks.at_least_every_seconds)
    spans = Spans(_exporters(config), answered.take)

    def failed(status: str) -> None:
        runtime.log.warning("auth did not say whether a session lives", status=status)

    sessions = AuthSessions(auth, failed)
    doors = Doors((*asdict(config.upstreams).values(), config.envoy.control_plane), config.tls.bundle)
    return Application(
        foreign=(EnvoyServices(ads, Authorizer(sessions), spans, config.tls.trust_domain, runtime.log),),
        tasks=(
            Watch(auth, state, runtime.clock).run,
            Endpoints(asdict(config.upstreams), publisher, runtime.log).run,
            certificate.run,
            publisher.run,
            ledger.run,
        ),
        probes=(publisher.ready,),
        closers=(spans.close,),
        checks=tuple(checks(config, doors, answered, runtime.clock)),
        found=ledger.found,
    )


def pages(config: Config) -> tuple[Page, ...]:
    """Return everything Envoy answers by itself: the web client and the OpenAPI document."""
    client = assets.read(config.web.assets, config.web.card_origin)
    described = openapi.document(contracts.exposed(), config.public.issuer)
    return (*client, assets.document(openapi.PATH, described, "application/json"))


def _exporters(config: Config) -> tuple[SpanExporter, ...]:
    """Envoy's spans go where the gateway's own go."""
    telemetry, development = config.telemetry, config.service.profile is Profile.DEVELOPMENT
    file = (FileExporter(telemetry.spans_file),) if telemetry.spans_file is not None else ()
    endpoint = telemetry.otlp_endpoint
    return (*file, *((otlp.exporter(endpoint, development=development),) if endpoint is not None else ()))
