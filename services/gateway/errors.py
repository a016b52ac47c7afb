"""Owns the catalog of what the edge itself refuses. Names are stable; messages are the constant text clients see."""

from __future__ import annotations

from dataclasses import dataclass

from services.kit.faults import (
    DEADLINE_EXCEEDED,
    INTERNAL,
    INVALID_ARGUMENT,
    OVERLOADED,
    PERMISSION_DENIED,
    REVOCATION_UNKNOWN,
    SESSION_ENDED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    Code,
    Reason,
)

MALFORMED_REQUEST = Reason("MALFORMED_REQUEST", Code.INVALID_ARGUMENT, "The request is not well formed.")
AMBIGUOUS_SESSION = Reason(
    "AMBIGUOUS_SESSION", Code.INVALID_ARGUMENT, "The request carries two different sessions. Send one."
)
ROUTE_NOT_FOUND = Reason("ROUTE_NOT_FOUND", Code.NOT_FOUND, "There is nothing at this address.")
CROSS_ORIGIN = Reason("CROSS_ORIGIN", Code.PERMISSION_DENIED, "Pages of another origin may not do this.")
BODY_TOO_LARGE = Reason("BODY_TOO_LARGE", Code.INVALID_ARGUMENT, "The request body is larger than this method takes.")
HEADERS_TOO_LARGE = Reason("HEADERS_TOO_LARGE", Code.INVALID_ARGUMENT, "The request headers are too large.")
MEDIA_TYPE_REFUSED = Reason(
    "MEDIA_TYPE_REFUSED", Code.INVALID_ARGUMENT, "The request body is of a media type that this method does not take."
)
UPGRADE_REQUIRED = Reason("UPGRADE_REQUIRED", Code.INVALID_ARGUMENT, "Use HTTP/1.1 or later.")
RATE_LIMITED = Reason("RATE_LIMITED", Code.RESOURCE_EXHAUSTED, "Too many requests from this address. Try again later.")


@dataclass(frozen=True)
class LocalReply:
    """What a client is told when Envoy answers by itself.

    ``status`` is the HTTP status Envoy chose; ``details`` narrows it to replies whose response code details begin so;
    ``becomes`` replaces the status; ``retry`` tells the client what the answer's Retry-After header says, ``wait`` adds
    one of so many seconds.
    """

    reason: Reason
    status: int
    details: str = ""
    becomes: int | None = None
    retry: bool = False
    wait: int | None = None


# The first that fits is used. RBAC's details name the policy that matched; the session filter allows, so it names none.
LOCAL_REPLIES = (
    LocalReply(CROSS_ORIGIN, 403, "rbac_access_denied_matched_policy[cross-origin"),
    LocalReply(MALFORMED_REQUEST, 403, "rbac_access_denied_matched_policy[malformed", becomes=400),
    LocalReply(UNAUTHENTICATED, 403, "rbac_access_denied", becomes=401),
    LocalReply(PERMISSION_DENIED, 403),
    LocalReply(MALFORMED_REQUEST, 400),
    LocalReply(UNAUTHENTICATED, 401),
    LocalReply(ROUTE_NOT_FOUND, 404),
    LocalReply(DEADLINE_EXCEEDED, 408),
    LocalReply(BODY_TOO_LARGE, 413),
    LocalReply(MEDIA_TYPE_REFUSED, 415),
    LocalReply(UPGRADE_REQUIRED, 426),
    LocalReply(RATE_LIMITED, 429, retry=True),
    LocalReply(HEADERS_TOO_LARGE, 431),
    LocalReply(OVERLOADED, 503, "upstream_reset_before_response_started{overflow", retry=True, wait=1),
    LocalReply(UNAVAILABLE, 503, retry=True, wait=1),
    LocalReply(DEADLINE_EXCEEDED, 504),
)
OTHER_REPLY = INTERNAL

__all__ = [
    "AMBIGUOUS_SESSION",
    "INVALID_ARGUMENT",
    "LOCAL_REPLIES",
    "OTHER_REPLY",
    "REVOCATION_UNKNOWN",
    "SESSION_ENDED",
    "UNAUTHENTICATED",
    "UNAVAILABLE",
    "LocalReply",
]
