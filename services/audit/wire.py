"""The mapping between the wire's messages and the domain's values.

Owns nothing else: it decides nothing, and what does not map is refused by the domain's own checks.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from google.protobuf.message import DecodeError

from services.audit.activity import Shown
from services.audit.practices import Practice, Result, State
from services.audit.search.terms import Terms
from services.audit.store import Alert
from services.kit.event import KINDS, OUTCOMES, Event, EventError, from_message
from services.kit.faults import INVALID_ARGUMENT, Fault
from services.kit.ids import check
from valv.audit.v1 import activity_pb2, event_pb2, practices_pb2, search_pb2

TEXT = "text/plain; charset=utf-8"
_WORD = re.compile(r"[A-Za-z0-9/._-]{0,96}")
_Filtered = activity_pb2.ListActivityRequest | activity_pb2.DownloadActivityRequest | search_pb2.SearchEventsRequest

_STATES = {
    State.NO_CHECK: practices_pb2.Practice.STATE_NO_CHECK,
    State.UNKNOWN: practices_pb2.Practice.STATE_UNKNOWN,
    State.KEPT: practices_pb2.Practice.STATE_KEPT,
    State.BROKEN: practices_pb2.Practice.STATE_BROKEN,
}


def event_of(data: bytes) -> Event:
    """Return the event that a producer serialized; raise EventError when it does not fit the schema."""
    try:
        return from_message(event_pb2.Event.FromString(data))
    except DecodeError:
        raise EventError("event") from None


def message_of(event: Event) -> event_pb2.Event:
    """Return the event as a message."""
    outcome = next(number for number, value in OUTCOMES.items() if value is event.outcome)
    kind = next(number for number, value in KINDS.items() if value is event.actor.kind)
    message = event_pb2.Event(
        event_id=event.id,
        action=event.action,
        outcome=outcome,
        actor=event_pb2.Actor(kind=kind, id=event.actor.id),
        reason=event.reason,
        subject=event.subject,
        request_id=event.request,
        trace_id=event.trace,
        session=event.session,
    )
    message.time.FromDatetime(event.time)
    if event.details:
        message.details.MergeFrom(event_pb2.Details(**event.details))  # type: ignore[arg-type]  # the schema's types
    if event.target is not None:
        message.object.kind, message.object.id = event.target.kind, event.target.id
    if event.origin is not None:
        message.origin.address, message.origin.device = event.origin.address, event.origin.device
    return message


def activity_message(shown: Shown) -> activity_pb2.Activity:
    """Return an event as its subject, or an operator, sees it."""
    return activity_pb2.Activity(
        event=message_of(shown.event),
        producer=shown.source.producer,
        index=shown.index,
        provable=shown.provable,
        leaf_hash=shown.leaf_hash.hex(),
    )


def terms_of(request: _Filtered, subject: str = "", actor: str = "") -> Terms:
    """Return a request's filter.

    Raises:
        Fault: INVALID_ARGUMENT: a field does not have the form of what it filters by.
    """
    if subject:
        _require("subject", _is_customer(subject))
    words = {"actor": actor, "action": request.action, "area": request.area, "object": request.object}
    for name, word in words.items():
        _require(name, _WORD.fullmatch(word) is not None)
    _require("outcome", not request.outcome or request.outcome in OUTCOMES)
    _require("actor_kind", not request.actor_kind or request.actor_kind in KINDS)
    since, until = _time("from_time", request), _time("to_time", request)
    _require("to_time", since is None or until is None or since < until)
    kind = KINDS[request.actor_kind].value if request.actor_kind else ""
    outcome = OUTCOMES[request.outcome].value if request.outcome else ""
    return Terms(subject=subject, kind=kind, outcome=outcome, since=since, until=until, **words)


def _time(name: str, request: _Filtered) -> datetime | None:
    if not request.HasField(name):  # type: ignore[arg-type]  # both names are fields of each of them
        return None
    try:
        return getattr(request, name).ToDatetime(UTC)  # type: ignore[no-any-return]  # a Timestamp
    except (ValueError, OverflowError):
        raise Fault(INVALID_ARGUMENT, field=name) from None


def _is_customer(text: str) -> bool:
    try:
        check("usr", text)
    except ValueError:
        return False
    return True


def _require(name: str, holds: bool) -> None:  # noqa: FBT001 - the condition is what it is about
    if not holds:
        raise Fault(INVALID_ARGUMENT, field=name)


def practice_message(practice: Practice, alerts: Mapping[str, Alert]) -> practices_pb2.Practice:
    """Return a promise as a message, with the alerts that are open about its checks."""
    checks = [_check_message(result, alerts.get(result.check.name)) for result in practice.results]
    return practices_pb2.Practice(promise=practice.promise, state=_STATES[practice.state], checks=checks)


def _check_message(result: Result, alert: Alert | None) -> practices_pb2.Check:
    check = result.check
    message = practices_pb2.Check(
        check=check.name,
        state=_STATES[result.state],
        threshold=check.threshold,
        least=check.least,
        unit=practices_pb2.Check.Unit.Value(f"UNIT_{check.unit.name}"),
    )
    if result.evidence is not None:
        finding = result.evidence.finding
        message.time.FromDatetime(result.evidence.time)
        message.event, message.index = result.evidence.event_id, result.evidence.index
        message.threshold = finding.threshold
        if finding.measured is not None:
            message.measured = finding.measured
    if alert is not None:
        message.alert_time.FromDatetime(alert.opened)
    return message
