"""The mapping between the wire's messages and the domain's values.

Owns nothing else: it decides nothing, and what does not map is refused by the domain's own checks.
"""

from datetime import UTC, datetime, timedelta

from google.protobuf.message import DecodeError

from services.audit.event import Actor, ActorKind, Event, EventError, Origin, Outcome, Target
from services.audit.practices import Practice, Result, State
from valv.audit.v1 import event_pb2, practices_pb2

_OUTCOMES = {
    event_pb2.OUTCOME_SUCCESS: Outcome.SUCCESS,
    event_pb2.OUTCOME_DENIED: Outcome.DENIED,
    event_pb2.OUTCOME_FAILED: Outcome.FAILED,
}
_KINDS = {
    event_pb2.Actor.KIND_NOBODY: ActorKind.NOBODY,
    event_pb2.Actor.KIND_CUSTOMER: ActorKind.CUSTOMER,
    event_pb2.Actor.KIND_OPERATOR: ActorKind.OPERATOR,
    event_pb2.Actor.KIND_SERVICE: ActorKind.SERVICE,
}
_STATES = {
    State.NO_CHECK: practices_pb2.Practice.STATE_NO_CHECK,
    State.UNKNOWN: practices_pb2.Practice.STATE_UNKNOWN,
    State.KEPT: practices_pb2.Practice.STATE_KEPT,
    State.BROKEN: practices_pb2.Practice.STATE_BROKEN,
}
_MAX_NANOS = 999_999_999
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def event_of(data: bytes) -> Event:
    """Return the event that a producer serialized; raise EventError when it does not fit the schema."""
    try:
        message = event_pb2.Event.FromString(data)
    except DecodeError:
        raise EventError("event") from None
    if message.outcome not in _OUTCOMES or message.actor.kind not in _KINDS:
        raise EventError("outcome" if message.outcome not in _OUTCOMES else "actor.kind")
    details = {field.name: value for field, value in message.details.ListFields()}
    target, origin = message.object, message.origin
    return Event(
        id=message.event_id,
        time=_time(message),
        action=message.action,
        outcome=_OUTCOMES[message.outcome],
        actor=Actor(_KINDS[message.actor.kind], message.actor.id),
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


def message_of(event: Event) -> event_pb2.Event:
    """Return the event as a message."""
    outcome = next(number for number, value in _OUTCOMES.items() if value is event.outcome)
    kind = next(number for number, value in _KINDS.items() if value is event.actor.kind)
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


def practice_message(practice: Practice) -> practices_pb2.Practice:
    """Return a promise as a message."""
    checks = [_check_message(result) for result in practice.results]
    return practices_pb2.Practice(promise=practice.promise, state=_STATES[practice.state], checks=checks)


def _check_message(result: Result) -> practices_pb2.Check:
    message = practices_pb2.Check(check=result.check, state=_STATES[result.state])
    if result.evidence is not None:
        message.time.FromDatetime(result.evidence.finding.time)
        message.event, message.index = result.evidence.event_id, result.evidence.index
        message.measured = result.evidence.finding.measured
    return message
