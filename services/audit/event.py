"""The canonical bytes of an event (RFC 8785): what a leaf commits to. The schema is the kit's (`services.kit.event`).

Owns the canonical form and its version. Knows neither the wire nor the store.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import rfc8785

from services.kit.event import Actor, ActorKind, Event, EventError, Origin, Outcome, Target

VERSION = 1


@dataclass(frozen=True, slots=True)
class Source:
    """Which record of which outbox an event is."""

    producer: str
    epoch: str
    number: int


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
