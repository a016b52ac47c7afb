"""Owns the jwt_authn configuration: the public keys that verify assertions at the edge. Travels by ECDS."""

from __future__ import annotations

from services.gateway.xds.names import (
    ASSERTION_COOKIE,
    ASSERTION_HEADER,
    BY_COOKIE,
    BY_HEADER,
    JWT_AUTHN,
    KEYS,
    PAYLOAD,
)
from services.gateway.xds.protos import Table, extension

AUDIENCE = "valv"
LONGEST_LIFETIME = "60s"
SKEW_SECONDS = 1  # Envoy takes 0 for its default of 60


def keys_filter(jwks: str, issuer: str) -> Table:
    """Return the filter; two providers, because one with two places fails a good token beside a bad one."""
    header = _provider(jwks, issuer, BY_HEADER, {"from_headers": [{"name": ASSERTION_HEADER}]})
    cookie = _provider(jwks, issuer, BY_COOKIE, {"from_cookies": [ASSERTION_COOKIE]})
    either = [{"provider_name": "header"}, {"provider_name": "cookie"}, {"allow_missing_or_failed": {}}]
    rule = {"match": {"prefix": "/"}, "requires": {"requires_any": {"requirements": either}}}
    return extension(KEYS, JWT_AUTHN, {"providers": {"header": header, "cookie": cookie}, "rules": [rule]})


def _provider(jwks: str, issuer: str, mark: str, source: Table) -> Table:
    """``mark`` is the metadata key that tells which provider verified; the token stays where it is (``forward``)."""
    return {
        "issuer": issuer,
        "audiences": [AUDIENCE],
        "local_jwks": {"inline_string": jwks},
        "require_expiration": True,
        "max_lifetime": LONGEST_LIFETIME,
        "clock_skew_seconds": SKEW_SECONDS,
        "jwt_cache_config": {"jwt_cache_size": 1000},
        "payload_in_metadata": PAYLOAD,
        "header_in_metadata": mark,
        "forward": True,
        **source,
    }
