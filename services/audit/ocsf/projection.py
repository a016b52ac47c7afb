"""The projection of a log entry to an OCSF 1.8.0 event.

Owns what such an event says: what our event says and where it stands in the log, nothing added, nothing guessed. What
OCSF has no field for stands in `unmapped.valv`. Never opens a body.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from services.audit.checkpoint import Checkpoint
from services.audit.event import Source
from services.audit.ocsf.classes import Class, Meaning, meaning
from services.kit.clock import milliseconds
from services.kit.event import ActorKind, Event, Outcome

VERSION = "1.8.0"
PRODUCT = {"name": "Valv", "vendor_name": "Valv"}
UNKNOWN = "unknown"
_SEVERITIES = {1: "Informational", 2: "Low", 3: "Medium", 4: "High"}
_OUTCOMES = {Outcome.SUCCESS: 1, Outcome.DENIED: 2, Outcome.FAILED: 3}
_HIGH, _MEDIUM = 4, 3
_WITHOUT_PEOPLE = {Class.APPLICATION, Class.FINDING}
"""Classes that have neither an actor nor an endpoint: only services record these."""
_ALARM = "audit.alarm.open"
_STATES = {"kept": (1, "Pass"), "broken": (3, "Fail")}
_FACTORS = {"otp": (7, "OTP"), "pop": (10, "WebAuthn"), "pwd": (11, "Password")}
_KINDS = {
    ActorKind.CUSTOMER: ("uid", 1, "User"),
    ActorKind.OPERATOR: ("name", 2, "Admin"),
    ActorKind.SERVICE: ("name", 4, "Service"),
    ActorKind.NOBODY: ("name", 0, "Unknown"),
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry stands in the log, and the signed checkpoint that covers it."""

    index: int
    leaf_hash: bytes
    arrived: datetime
    head: Checkpoint


def project(event: Event, source: Source, place: Place) -> dict[str, Any]:
    """Return the OCSF event of an entry, ready for JSON."""
    found = meaning(event.action)
    made: dict[str, Any] = {
        **frame(found, milliseconds(event.time), _severity(event)),
        "metadata": _metadata(event, place),
        **_status(event, found.kind),
        **_PARTS[found.kind](event, source, place),
        "unmapped": {"valv": {"record": "event", "log": log_of(place), **_unmapped(event, source)}},
    }
    if found.kind in _WITHOUT_PEOPLE:
        return made
    if event.origin is not None and event.origin.address:
        made["src_endpoint"] = {"ip": event.origin.address}
    if "actor" not in made and event.actor.kind is not ActorKind.NOBODY:
        made["actor"] = _actor(event)
    return made


def frame(found: Meaning, time_ms: int, severity: int) -> dict[str, Any]:
    """Return what OCSF asks of every event but its metadata."""
    uid, name, category, category_name = found.kind.value
    return {
        "activity_id": found.activity,
        "activity_name": found.caption,
        "category_uid": category,
        "category_name": category_name,
        "class_uid": uid,
        "class_name": name,
        "type_uid": uid * 100 + found.activity,
        "time": time_ms,
        "severity_id": severity,
        "severity": _SEVERITIES[severity],
    }


def log_of(place: Place) -> dict[str, Any]:
    """Return where an entry stands, as every record says it."""
    return {
        "index": place.index,
        "leaf_hash": place.leaf_hash.hex(),
        "checkpoint": {"size": place.head.size, "root": place.head.root.hex()},
    }


def _metadata(event: Event, place: Place) -> dict[str, Any]:
    time = event.time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    made = {
        "version": VERSION,
        "product": PRODUCT,
        "uid": event.id,
        "sequence": place.index,
        "event_code": event.action,
        "log_name": place.head.origin,
        "logged_time": milliseconds(place.arrived),
        "original_time": time,
    }
    return made | ({"correlation_uid": event.request} if event.request else {})


def _severity(event: Event) -> int:
    if event.action == _ALARM or event.details.get("state") == "broken":
        return _HIGH
    if event.details.get("state") == "unknown":
        return _MEDIUM
    return _OUTCOMES[event.outcome]


def _status(event: Event, kind: Class) -> dict[str, Any]:
    if kind is Class.FINDING:  # there, the status is that of an investigation
        return {}
    if event.outcome is Outcome.SUCCESS:
        return {"status_id": 1, "status": "Success"}
    detail = event.outcome.value
    return {"status_id": 2, "status": "Failure", "status_code": event.reason, "status_detail": detail}


def _user(kind: ActorKind, who: str) -> dict[str, Any]:
    field, number, caption = _KINDS[kind]
    named = {field: who} if who else {"name": UNKNOWN}
    return {**named, "type_id": number, "type": caption}


def _actor(event: Event) -> dict[str, Any]:
    made: dict[str, Any] = {"user": _user(event.actor.kind, event.actor.id)}
    return made | ({"session": {"uid": event.session}} if event.session else {})


def _about(event: Event) -> dict[str, Any]:
    """Return whose account it is about: the subject's, else that of who did it."""
    if event.subject:
        return _user(ActorKind.CUSTOMER, event.subject)
    return _user(event.actor.kind, event.actor.id)


def _api(event: Event, source: Source, _place: Place) -> dict[str, Any]:
    api: dict[str, Any] = {"operation": event.action, "service": {"name": source.producer}}
    if event.request:
        api["request"] = {"uid": event.request}
    made = {"api": api, "actor": _actor(event), "src_endpoint": _caller(event)}
    return made | ({"resources": [resource]} if (resource := _resource(event)) else {})


def _caller(event: Event) -> dict[str, Any]:
    """Return what the class demands where no origin is recorded: the calling service, else that it is unknown."""
    if event.actor.kind is ActorKind.SERVICE and event.actor.id:
        return {"svc_name": event.actor.id}
    return {"name": UNKNOWN}


def _resource(event: Event) -> dict[str, Any]:
    owner = {"owner": _user(ActorKind.CUSTOMER, event.subject)} if event.subject else {}
    if event.target is None:
        return {"type": "account", "uid": event.subject} if event.subject else {}
    named = {"uid": event.target.id} if event.target.id else {"name": UNKNOWN}
    return {"type": event.target.kind, **named, **owner}


def _file(event: Event, source: Source, place: Place) -> dict[str, Any]:
    made = _api(event, source, place)
    named = event.target.id if event.target is not None else ""
    file: dict[str, Any] = {"name": named or UNKNOWN, "type_id": 1, "type": "Regular File"}
    if named:
        file["uid"] = named
    if event.subject:
        file["owner"] = _user(ActorKind.CUSTOMER, event.subject)
    return {"file": file, "actor": made["actor"], "src_endpoint": made["src_endpoint"]}


def _account(event: Event, _source: Source, _place: Place) -> dict[str, Any]:
    return {"user": _about(event), **_factor(event)}


def _authentication(event: Event, source: Source, _place: Place) -> dict[str, Any]:
    made = {"user": _about(event), "service": {"name": source.producer}, **_factor(event)}
    return made | ({"session": {"uid": event.session}} if event.session else {})


def _authorization(event: Event, _source: Source, _place: Place) -> dict[str, Any]:
    return {"user": _about(event), "privileges": ["operator"]}


def _factor(event: Event) -> dict[str, Any]:
    if not (factor := event.details.get("factor")):
        return {}
    number, caption = _FACTORS.get(str(factor), (99, str(factor)))
    return {"auth_factors": [{"factor_type_id": number, "factor_type": caption}]}


def _log(_event: Event, _source: Source, place: Place) -> dict[str, Any]:
    return {"log_name": place.head.origin, "log_provider": "Valv"}


def _application(_event: Event, source: Source, _place: Place) -> dict[str, Any]:
    return {"app": {"name": source.producer, "vendor_name": "Valv"}}


def _finding(event: Event, _source: Source, _place: Place) -> dict[str, Any]:
    check = event.target.id if event.target is not None else ""
    number, caption = _STATES.get(str(event.details.get("state", "")), (0, "Unknown"))
    return {
        "finding_info": {"uid": check or UNKNOWN, "title": check or UNKNOWN},
        "compliance": {"control": check or UNKNOWN, "status_id": number, "status": caption},
    }


def _unmapped(event: Event, source: Source) -> Mapping[str, Any]:
    made: dict[str, Any] = {
        "action": event.action,
        "outcome": event.outcome.value,
        "actor": {"kind": event.actor.kind.value} | ({"id": event.actor.id} if event.actor.id else {}),
        "producer": {"name": source.producer, "epoch": source.epoch, "number": source.number},
    }
    if event.target is not None:
        made["object"] = {"kind": event.target.kind} | ({"id": event.target.id} if event.target.id else {})
    if event.subject:
        made["subject"] = event.subject
    if event.session:
        made["session"] = event.session
    if event.trace:
        made["trace"] = event.trace
    if event.origin is not None and event.origin.device:
        made["device"] = event.origin.device
    return made | ({"details": dict(event.details)} if event.details else {})


_PARTS = {
    Class.LOG: _log,
    Class.FINDING: _finding,
    Class.ACCOUNT: _account,
    Class.AUTHENTICATION: _authentication,
    Class.AUTHORIZATION: _authorization,
    Class.APPLICATION: _application,
    Class.API: _api,
    Class.FILE: _file,
}
