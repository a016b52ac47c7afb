"""The mapping of events between the wire and the schema."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from services.audit import wire
from services.kit.event import EventError
from tests.unit.audit.test_event import FULL, PLAIN
from valv.audit.v1 import event_pb2


@pytest.mark.parametrize("event", [FULL, PLAIN])
def test_an_event_survives_the_wire(event: object) -> None:
    message = wire.message_of(event)  # type: ignore[arg-type]  # parametrized
    assert wire.event_of(message.SerializeToString()) == event


def test_every_detail_of_the_contract_is_in_the_schema() -> None:
    for field in event_pb2.Details.DESCRIPTOR.fields:
        message = wire.message_of(FULL)
        message.details.Clear()
        known = {"currency": "sek", "state": "kept", "digest": "0" * 64, "cause": "legal", "filters": "action,time"}
        good = known.get(field.name, "v1")
        setattr(message.details, field.name, 7 if field.type == field.TYPE_UINT64 else good)
        assert field.name in wire.event_of(message.SerializeToString()).details


def _unset_time(message: event_pb2.Event) -> None:
    message.ClearField("time")


def _nanoseconds(message: event_pb2.Event) -> None:
    message.time.nanos += 1


def _far_future(message: event_pb2.Event) -> None:
    message.time.seconds = 1 << 60


def _no_outcome(message: event_pb2.Event) -> None:
    message.outcome = event_pb2.OUTCOME_UNSPECIFIED


def _no_kind(message: event_pb2.Event) -> None:
    message.actor.kind = event_pb2.Actor.KIND_UNSPECIFIED


def _object_without_kind(message: event_pb2.Event) -> None:
    message.object.kind = ""


@pytest.mark.parametrize(
    "field,change",
    [
        ("time", _unset_time),
        ("time", _nanoseconds),
        ("time", _far_future),
        ("outcome", _no_outcome),
        ("actor.kind", _no_kind),
        ("object.kind", _object_without_kind),
    ],
)
def test_what_the_schema_cannot_say_is_refused(field: str, change: Callable[[event_pb2.Event], None]) -> None:
    message = wire.message_of(FULL)
    change(message)
    with pytest.raises(EventError) as refused:
        wire.event_of(message.SerializeToString())
    assert refused.value.field == field


@pytest.mark.parametrize("data", [b"\xff", b"\x0a\x05ab"])
def test_bytes_that_are_no_event_are_refused(data: bytes) -> None:
    with pytest.raises(EventError):
        wire.event_of(data)


def test_times_keep_their_microseconds() -> None:
    message = wire.message_of(PLAIN)
    message.time.FromDatetime(datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
    assert wire.event_of(message.SerializeToString()).time == datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
