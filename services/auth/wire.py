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

    from services.auth.accounts import Account
    from services.auth.arrivals import Arrived
    from services.auth.sessions import Session
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
    token, device_token = session_token(call, arrived.token, delivery), arrived.device_token.text()
    if token:
        return token, device_token
    age = int(devices.LIFETIME.total_seconds())
    call.reply_metadata.append(("set-cookie", f"{DEVICE_COOKIE}={device_token}; {COOKIE_ATTRIBUTES}; Max-Age={age}"))
    return "", ""


def session_token(call: Call, token: Secret, delivery: account_pb2.TokenDelivery.ValueType) -> str:
    """Give a session's token to a browser as a cookie; return the one to go into an API client's answer."""
    call.reply_metadata.append(NO_STORE)
    if delivery == account_pb2.TOKEN_DELIVERY_BODY:
        return token.text()
    call.reply_metadata.append(("set-cookie", f"{SESSION_COOKIE}={token.text()}; {COOKIE_ATTRIBUTES}"))
    return ""


def forget(call: Call) -> None:
    """Make a browser forget its session; its device stays known."""
    call.reply_metadata.append(NO_STORE)
    for cookie in (SESSION_COOKIE, ASSERTION_COOKIE):
        call.reply_metadata.append(("set-cookie", f"{cookie}=; {COOKIE_ATTRIBUTES}; Max-Age=0"))


def session(found: Session, account: Account | None, ends: datetime, now: datetime) -> account_pb2.Session:
    """Return a live session as contracts have it."""
    return account_pb2.Session(
        session_id=found.session_id,
        account_id=found.account_id,
        email=account.email if account else "",
        ends=timestamp(ends),
        auth_time=timestamp(found.opened),
        now=timestamp(now),
    )


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
