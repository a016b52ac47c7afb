"""Event schema v1: what may stand in the log, and its canonical bytes (RFC 8785).

Owns the allow-list: every field has a type and a form, and none takes free text. An event that does not fit is refused
whole. Knows neither the wire nor the store.
"""

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import rfc8785

from services.kit.ids import check, is_id

VERSION = 1
MAX_NUMBER = (1 << 53) - 1
"""RFC 8785 numbers are IEEE 754 doubles: larger counts are refused."""
_ACTION = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*){1,5}|/[a-z0-9.]+\.[A-Z][A-Za-z]*/[A-Z][A-Za-z0-9]*")
_REASON = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*")
_NAME = re.compile(r"[a-z][a-z0-9_-]*(?:\.[a-z0-9_-]+)*")
_DEVICE = re.compile(r"[a-z0-9][a-z0-9.+_-]*(?:/[a-z0-9.+_-]+)*")
_REQUEST = re.compile(r"[0-9a-f-]{32,36}")
_TRACE = re.compile(r"[0-9a-f]{32}")
_TEXTS = {
    "currency": re.compile(r"[a-z]{3}"),
    "version": re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*"),
    "factor": re.compile(r"[a-z][a-z0-9]*"),
    "state": re.compile(r"kept|broken|unknown|pending|succeeded|declined|failed"),
    "digest": re.compile(r"[0-9a-f]{64}"),
}
_NUMBERS = {"bytes", "range_start", "amount_minor", "count", "window_seconds"}
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


@dataclass(frozen=True, slots=True)
class Source:
    """Which record of which outbox an event is."""

    producer: str
    epoch: str
    number: int


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


def canonical(event: Event, source: Source) -> bytes:
    """Return the event's canonical JSON, absent fields left out. This is what a leaf commits to."""
    value: dict[str, Any] = {
        "v": VERSION,
        "id": event.id,
        "time": event.time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "action": event.action,
        "outcome": event.outcome.value,
        "actor": _present(kind=event.actor.kind.value, id=event.actor.id),
        "producer": {"name": source.producer, "epoch": source.epoch, "number": source.number},
        **_present(
            reason=event.reason,
            subject=event.subject,
            request=event.request,
            trace=event.trace,
            session=event.session,
        ),
    }
    if event.target is not None:
        value["object"] = _present(kind=event.target.kind, id=event.target.id)
    if event.origin is not None and (origin := _present(address=event.origin.address, device=event.origin.device)):
        value["origin"] = origin
    if event.details:
        value["details"] = dict(event.details)
    return rfc8785.dumps(value)


def parse(data: bytes) -> tuple[Event, Source]:
    """Return what canonical bytes say; raise EventError when they are not an event of this version."""
    value = json.loads(data)
    if value.get("v") != VERSION:
        raise EventError("v")
    target, origin, source = value.get("object"), value.get("origin"), value["producer"]
    event = Event(
        id=value["id"],
        time=datetime.fromisoformat(value["time"]),
        action=value["action"],
        outcome=Outcome(value["outcome"]),
        actor=Actor(ActorKind(value["actor"]["kind"]), value["actor"].get("id", "")),
        reason=value.get("reason", ""),
        subject=value.get("subject", ""),
        target=Target(target["kind"], target.get("id", "")) if target else None,
        origin=Origin(origin.get("address", ""), origin.get("device", "")) if origin else None,
        request=value.get("request", ""),
        trace=value.get("trace", ""),
        session=value.get("session", ""),
        details=value.get("details", {}),
    )
    return event, Source(source["name"], source["epoch"], source["number"])


def _present(**values: str) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


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
