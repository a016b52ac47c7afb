"""Owns the filter that refuses what a page of another origin sent, and tokens that are not one token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.gateway.xds import rules
from services.gateway.xds.names import ASSERTION_HEADER, HTTP, ORIGIN, SESSION_HEADER
from services.gateway.xds.protos import Table, extension

if TYPE_CHECKING:
    from collections.abc import Sequence

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_JWT = r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"
_OPAQUE = r"[A-Za-z0-9._~+/=-]+"


def origin_filter(origins: Sequence[str]) -> Table:
    """Refuse what a page of another origin sent (Fetch Metadata, then Origin), and tokens that are not one token."""
    cross_site = rules.either(rules.header("sec-fetch-site", "cross-site"), rules.header("sec-fetch-site", "same-site"))
    unsafe = rules.no(rules.either(*(rules.header(":method", name) for name in _SAFE_METHODS)))
    foreign = rules.every(
        rules.present("origin"), rules.no(rules.either(*(rules.header("origin", origin) for origin in origins)))
    )
    unvouched = rules.every(
        rules.present("cookie"),
        rules.no(rules.present("origin")),
        rules.no(rules.header("sec-fetch-site", "same-origin")),
    )
    malformed = rules.either(
        rules.every(rules.present(ASSERTION_HEADER), rules.no(rules.regex(ASSERTION_HEADER, _JWT))),
        rules.every(rules.present(SESSION_HEADER), rules.no(rules.regex(SESSION_HEADER, _OPAQUE))),
    )
    policies = {
        "cross-origin": rules.policy(rules.either(cross_site, rules.every(unsafe, rules.either(foreign, unvouched)))),
        "malformed-token": rules.policy(malformed),
    }
    return extension(ORIGIN, f"{HTTP}.rbac.v3.RBAC", {"rules": {"action": "DENY", "policies": policies}})
