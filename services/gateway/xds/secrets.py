"""Owns the public certificate on its way to Envoy (SDS). Must never log or digest the key itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.gateway.xds.protos import Table

if TYPE_CHECKING:
    from services.kit.secret import Secret


def certificate(name: str, chain: bytes, key: Secret) -> Table:
    """Return the secret: a PEM chain and its PEM key."""
    return {
        "name": name,
        "tls_certificate": {
            "certificate_chain": {"inline_string": chain.decode()},
            "private_key": {"inline_string": key.text()},
        },
    }
