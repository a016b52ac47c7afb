"""Owns what auth's handlers share of the wire: secrets taken from requests, times, cookies and cache headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.timestamp_pb2 import Timestamp

from services.auth import devices
from services.auth.arrivals import Visitor
from services.kit.faults import INVALID_ARGUMENT, Fault
from services.kit.secret import Secret
from valv.auth.v1 import account_pb2

if TYPE_CHECKING:
    from datetime import datetime

    from services.auth.arrivals import Arrived
    from services.kit.call import Call

SESSION_COOKIE = "__Host-valv_session"
DEVICE_COOKIE = "__Host-valv_device"
ASSERTION_COOKIE = "__Host-valv_assertion"
COOKIE_ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Strict"
DEVICE_HEADER, EARLIER_SESSION_HEADER = "x-valv-device", "x-valv-session"
"""What the edge passes on to calls that change who is signed in; see ``valv.options.v1.Policy.authenticates``."""
NO_STORE = ("cache-control", "no-store")


def secret(text: str, field: str) -> Secret:
    """Return a secret of a request.

    Raises:
        Fault: INVALID_ARGUMENT: it is empty.
    """
    if not text:
        raise Fault(INVALID_ARGUMENT, field=field)
    return Secret(text)


def visitor(call: Call, device_token: str) -> Visitor:
    """Return who is at the door; an API client's ``device_token`` counts before a browser's cookie."""
    remembered = device_token or call.metadata.get(DEVICE_HEADER, "")
    earlier = call.metadata.get(EARLIER_SESSION_HEADER, "")
    return Visitor(
        call.origin.address,
        call.origin.device,
        Secret(remembered) if remembered else None,
        Secret(earlier) if earlier else None,
    )


def hand_over(call: Call, arrived: Arrived, delivery: account_pb2.TokenDelivery.ValueType) -> tuple[str, str]:
    """Give the tokens of a new session to a browser as cookies; return those to go into an API client's answer."""
    token, device_token = arrived.token.text(), arrived.device_token.text()
    call.reply_metadata.append(NO_STORE)
    if delivery == account_pb2.TOKEN_DELIVERY_BODY:
        return token, device_token
    age = int(devices.LIFETIME.total_seconds())
    call.reply_metadata.append(("set-cookie", f"{SESSION_COOKIE}={token}; {COOKIE_ATTRIBUTES}"))
    call.reply_metadata.append(("set-cookie", f"{DEVICE_COOKIE}={device_token}; {COOKIE_ATTRIBUTES}; Max-Age={age}"))
    return "", ""


def delivery(value: account_pb2.TokenDelivery.ValueType) -> account_pb2.TokenDelivery.ValueType:
    """Return where tokens go.

    Raises:
        Fault: INVALID_ARGUMENT: the client means something we do not know.
    """
    if value not in account_pb2.TokenDelivery.values():
        raise Fault(INVALID_ARGUMENT, field="delivery")
    return value


def timestamp(time: datetime) -> Timestamp:
    """Return a time as contracts have it."""
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp
