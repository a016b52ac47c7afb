"""Owns the security headers of every answer, and the content security policies of pages and everything else."""

from __future__ import annotations

from typing import Any

HSTS = "max-age=63072000; includeSubDomains"
API_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox"

# Sources: OWASP HTTP Headers Cheat Sheet; ASVS 5.0 V3.4. A page keeps its own policy and cache rules.
FIXED = (
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("x-permitted-cross-domain-policies", "none"),
)
DEFAULTS = (("content-security-policy", API_POLICY), ("cache-control", "no-store"))

# Set by Envoy, gRPC or an upstream for its neighbours; no client needs them.
INTERNAL = (
    "grpc-status",
    "grpc-message",
    "grpc-status-details-bin",
    "grpc-accept-encoding",
    "grpc-encoding",
    "x-envoy-upstream-service-time",
    "x-envoy-decorator-operation",
    "x-envoy-attempt-count",
    "x-envoy-ratelimited",
    "x-powered-by",
)


def page_policy(card_origin: str | None = None) -> str:
    """Return the policy of a page of the web client; ``card_origin`` is admitted on the page with card fields only.

    That page runs the payment gateway's script, which is not ours to hold to trusted types; every other page is held.
    """
    extra = f" {card_origin}" if card_origin else ""
    frames = card_origin or "'none'"
    types = () if card_origin else ("require-trusted-types-for 'script'", "trusted-types 'none'")
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self'{extra}",
            "style-src 'self'",
            "img-src 'self' data:",
            "font-src 'self'",
            f"connect-src 'self'{extra}",
            f"frame-src {frames}",
            "manifest-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            *types,
        )
    )


def mutations(*, hsts: bool) -> list[dict[str, Any]]:
    """Return the response mutations that give every answer its security headers."""
    fixed = (*FIXED, *((("strict-transport-security", HSTS),) if hsts else ()))
    return [
        *(_set(name, value, "OVERWRITE_IF_EXISTS_OR_ADD") for name, value in fixed),
        *(_set(name, value, "ADD_IF_ABSENT") for name, value in DEFAULTS),
    ]


def removals() -> list[dict[str, Any]]:
    """Return the response mutations that drop what is for neighbours only."""
    return [{"remove": name} for name in INTERNAL]


def _set(name: str, value: str, action: str) -> dict[str, Any]:
    return {"append": {"header": {"key": name, "value": value}, "append_action": action}}
