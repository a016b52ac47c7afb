"""A gateway's configuration and a snapshot of it, without files or sockets."""

from __future__ import annotations

from pathlib import Path

from services.gateway import contracts
from services.gateway.assets import Page
from services.gateway.composition import Composer, Inputs
from services.gateway.config import Config, EnvoyConfig, PublicConfig, UpstreamsConfig, WebConfig
from services.kit.clients import PeersConfig
from services.kit.config import Profile, ServiceConfig
from services.kit.secret import Secret
from services.kit.telemetry import TelemetryConfig
from services.kit.tls import TLSConfig

FILE = Path("/nowhere")
JWKS = '{"keys": []}'
PAGE = Page("/", b"<!doctype html>", (("content-type", "text/html"), ("cache-control", "no-cache")))


def config(*names: str) -> Config:
    return Config(
        service=ServiceConfig("127.0.0.1:1", Profile.DEVELOPMENT),
        tls=TLSConfig("valv.localhost", FILE, FILE, FILE),
        telemetry=TelemetryConfig(),
        peers=PeersConfig(),
        public=PublicConfig("127.0.0.1:8443", names or ("localhost:8443",), FILE, FILE),
        upstreams=UpstreamsConfig(*(f"127.0.0.1:{port}" for port in range(1, 6))),
        envoy=EnvoyConfig(FILE, FILE, FILE, FILE, FILE, "127.0.0.1:9105", "valv.localhost"),
        web=WebConfig(FILE),
    )


def composer(*names: str) -> Composer:
    return Composer(config(*names), contracts.exposed(), [PAGE])


def inputs(**changes: object) -> Inputs:
    endpoints = {one.name: (("127.0.0.1", 9),) for one in composer().upstreams}
    parts: dict[str, object] = {"jwks": JWKS, "endpoints": endpoints, "chain": b"chain", "key": Secret("private")}
    return Inputs(**{**parts, **changes})  # type: ignore[arg-type]  # the test hands over what types forbid, or a stand-in
