"""The sandboxes answer on loopback only, and production refuses the sandbox gateway."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.sandbox.psp.config import Config
from services.billing.config import Config as BillingConfig
from services.billing.config import GatewayConfig
from services.kit.clients import PeersConfig
from services.kit.config import Profile, ServiceConfig
from services.kit.db import DatabaseConfig
from services.kit.tls import TLSConfig

HERE = Path()


@pytest.mark.parametrize("listen", ["0.0.0.0:9201", "192.0.2.1:9201", "[::]:9201", "localhost:9201", "127.0.0.1"])
def test_the_sandbox_gateway_refuses_to_answer_anywhere_but_on_loopback(listen: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of any text: the loader names the key
        Config(listen, HERE, HERE, HERE, HERE, "pk", ("https://localhost:8443",))


def gateway(**changes: object) -> GatewayConfig:
    fields: dict[str, object] = {
        "address": "https://gateway.example",
        "secret_key_file": HERE,
        "publishable_key": "pk",
        "script_url": "https://gateway.example/v1/elements.js",
    }
    return GatewayConfig(**{**fields, **changes})  # type: ignore[arg-type]  # the test hands over what types forbid, or a stand-in


def billing(profile: Profile, chosen: GatewayConfig) -> BillingConfig:
    return BillingConfig(
        ServiceConfig("127.0.0.1:0", profile),
        TLSConfig("valv.localhost", HERE, HERE, HERE),
        PeersConfig(),
        DatabaseConfig("sqlite+aiosqlite:///x"),
        chosen,
        "https://localhost:8443",
    )


@pytest.mark.clause("P12")
def test_production_refuses_the_sandbox_gateway() -> None:
    assert billing(Profile.DEVELOPMENT, gateway(sandbox=True)).gateway.sandbox
    with pytest.raises(ValueError, match="sandbox"):
        billing(Profile.PRODUCTION, gateway(sandbox=True))


@pytest.mark.parametrize(
    "changes",
    [
        {"address": "http://gateway.example"},
        {"script_url": "http://x"},
        {"attestation_date": "soon"},
        {"timeout_seconds": 0.0},
    ],
)
def test_a_gateway_configuration_that_could_not_be_safe_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of any text: the loader names the key
        gateway(**changes)
