"""Event schema v1: what may stand in the audit log.

Owns the allow-list: every field has a type and a form, and none takes free text. Checked where an event is written, so
that a wrong one fails the action it is about, and again where the log takes it. Knows no store.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from services.kit.ids import check, is_id
from valv.audit.v1 import event_pb2

MAX_NUMBER = (1 << 53) - 1
"""RFC 8785 numbers are IEEE 754 doubles: larger counts are refused."""
_ACTION = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*){1,5}|/[a-z0-9.]+\.[A-Z][A-Za-z]*/[A-Z][A-Za-z0-9]*")
_REASON = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*")
_NAME = re.compile(r"[a-z][a-z0-9_-]*(?:\.[a-z0-9_-]+)*")
_DEVICE = re.compile(r"[a-z0-9][a-z0-9.+_-]*(?:/[a-z0-9.+_-]+)*")
_REQUEST = re.compile(r"[0-9a-f-]{32,36}")
_TRACE = re.compile(r"[0-9a-f]{32}")
_FILTER = "(?:action|actor|area|kind|object|outcome|subject|time)"
_TEXTS = {
    "currency": re.compile(r"[a-z]{3}"),
    "version": re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*"),
    "factor": re.compile(r"[a-z][a-z0-9]*"),
    "state": re.compile(r"kept|broken|unknown|pending|succeeded|declined|failed"),
    "digest": re.compile(r"[0-9a-f]{64}"),
    "cause": re.compile(r"owner|compromised|abuse|legal|review|litigation|authority|investigation"),
    "provider": re.compile(r"[a-z][a-z0-9-]*"),
    "purpose": re.compile(r"[a-z][a-z0-9-]*"),
    "filters": re.compile(rf"{_FILTER}(?:,{_FILTER})*"),
}
_NUMBERS = {"bytes", "range_start", "amount_minor", "count", "window_seconds", "threshold", "number", "lost"}
_LONGEST = 96


class EventError(ValueError):
    """An event does not fit the schema. Names the field, never its value."""

    def __init__(self, name: str) -> None:
        """Take the field at fault."""
        super().__init__(name)
        self.field = name


class Outcome(StrEnum):
    """How a thing ended."""

    SUCCESS = "success"
    DENIED = "denied"
    FAILED = "failed"


class ActorKind(StrEnum):
    """Who does things."""

    NOBODY = "nobody"
    CUSTOMER = "customer"
    OPERATOR = "operator"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it; the id is empty for nobody, and for somebody refused before being known."""

    kind: ActorKind
    id: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """What it was done to."""

    kind: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where it came from."""

    address: str = ""
    device: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened. Construction raises EventError when a field does not fit."""

    id: str
    time: datetime
    action: str
    outcome: Outcome
    actor: Actor
    reason: str = ""
    subject: str = ""
    target: Target | None = None
    origin: Origin | None = None
    request: str = ""
    trace: str = ""
    session: str = ""
    details: Mapping[str, int | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check every field."""
        _id("event_id", "evt", self.id)
        if self.time.utcoffset() != timedelta(0):
            raise EventError("time")
        _form("action", _ACTION, self.action)
        if (self.outcome is Outcome.SUCCESS) != (not self.reason):
            raise EventError("reason")
        _optional("reason", _REASON, self.reason)
        self._check_people()
        if self.target is not None:
            _form("object.kind", _NAME, self.target.kind)
            if not is_id(self.target.id):
                _optional("object.id", _NAME, self.target.id)
        if not is_id(self.request):
            _optional("request_id", _REQUEST, self.request)
        _optional("trace_id", _TRACE, self.trace)
        if self.session:
            _id("session", "ses", self.session)
        for name, value in self.details.items():
            _check_detail(name, value)

    def _check_people(self) -> None:
        if self.subject:
            _id("subject", "usr", self.subject)
        actor = self.actor
        if (actor.kind is ActorKind.NOBODY) != (not actor.id) and self.outcome is Outcome.SUCCESS:
            raise EventError("actor.id")
        if actor.kind is ActorKind.CUSTOMER and actor.id:
            _id("actor.id", "usr", actor.id)
        elif actor.kind is ActorKind.NOBODY and actor.id:
            raise EventError("actor.id")
        else:
            _optional("actor.id", _NAME, actor.id)
        if self.origin is None:
            return
        if actor.kind is not ActorKind.NOBODY and (not self.subject or actor.id != self.subject):
            raise EventError("origin")
        if self.origin.address:
            _check_address(self.origin.address)
        _optional("origin.device", _DEVICE, self.origin.device)


OUTCOMES = {
    event_pb2.OUTCOME_SUCCESS: Outcome.SUCCESS,
    event_pb2.OUTCOME_DENIED: Outcome.DENIED,
    event_pb2.OUTCOME_FAILED: Outcome.FAILED,
}
KINDS = {
    event_pb2.Actor.KIND_NOBODY: ActorKind.NOBODY,
    event_pb2.Actor.KIND_CUSTOMER: ActorKind.CUSTOMER,
    event_pb2.Actor.KIND_OPERATOR: ActorKind.OPERATOR,
    event_pb2.Actor.KIND_SERVICE: ActorKind.SERVICE,
}
_MAX_NANOS = 999_999_999
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def from_message(message: event_pb2.Event) -> Event:
    """Return the event of a message; raise EventError when it does not fit the schema."""
    if message.outcome not in OUTCOMES or message.actor.kind not in KINDS:
        raise EventError("outcome" if message.outcome not in OUTCOMES else "actor.kind")
    details = {field.name: value for field, value in message.details.ListFields()}
    target, origin = message.object, message.origin
    return Event(
        id=message.event_id,
        time=_time(message),
        action=message.action,
        outcome=OUTCOMES[message.outcome],
        actor=Actor(KINDS[message.actor.kind], message.actor.id),
        reason=message.reason,
        subject=message.subject,
        target=Target(target.kind, target.id) if target.kind or target.id else None,
        origin=Origin(origin.address, origin.device) if origin.address or origin.device else None,
        request=message.request_id,
        trace=message.trace_id,
        session=message.session,
        details=details,
    )


def _time(message: event_pb2.Event) -> datetime:
    """Return the event's time in whole microseconds, which is what its canonical form can say."""
    time = message.time
    if not message.HasField("time") or time.nanos % 1000 or not 0 <= time.nanos <= _MAX_NANOS:
        raise EventError("time")
    try:
        return _EPOCH + timedelta(seconds=time.seconds, microseconds=time.nanos // 1000)
    except OverflowError:
        raise EventError("time") from None


def _id(name: str, prefix: str, text: str) -> None:
    try:
        check(prefix, text)
    except ValueError:
        raise EventError(name) from None


def _form(name: str, form: re.Pattern[str], text: str) -> None:
    if len(text) > _LONGEST or not form.fullmatch(text):
        raise EventError(name)


def _optional(name: str, form: re.Pattern[str], text: str) -> None:
    if text:
        _form(name, form, text)


def _check_address(text: str) -> None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise EventError("origin.address") from None
    if str(address) != text or "%" in text:
        raise EventError("origin.address")


def _check_detail(name: str, value: int | str) -> None:
    if name in _NUMBERS and type(value) is int:
        if not 0 <= value <= MAX_NUMBER:
            raise EventError(f"details.{name}")
    elif name in _TEXTS and isinstance(value, str):
        _form(f"details.{name}", _TEXTS[name], value)
    else:
        raise EventError(f"details.{name}")
