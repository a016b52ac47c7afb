"""Owns what auth's handlers share of the wire: secrets taken from requests, times, cookies and cache headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.timestamp_pb2 import Timestamp

from services.kit.faults import INVALID_ARGUMENT, Fault
from services.kit.secret import Secret

if TYPE_CHECKING:
    from datetime import datetime

SESSION_COOKIE = "__Host-valv_session"
ASSERTION_COOKIE = "__Host-valv_assertion"
COOKIE_ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Strict"
NO_STORE = ("cache-control", "no-store")


def secret(text: str, field: str) -> Secret:
    """Return a secret of a request.

    Raises:
        Fault: INVALID_ARGUMENT: it is empty.
    """
    if not text:
        raise Fault(INVALID_ARGUMENT, field=field)
    return Secret(text)


def timestamp(time: datetime) -> Timestamp:
    """Return a time as contracts have it."""
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp
