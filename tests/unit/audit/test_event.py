"""The event schema: what may stand in the log, and in which bytes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from services.audit.event import Source, canonical, parse
from services.kit.event import Actor, ActorKind, Event, EventError, Origin, Outcome, Target

USR = "usr_01k9v0000000000000000000aa"
OTHER = "usr_01k9v0000000000000000000bb"
SOURCE = Source("files", "epo_01k9v0000000000000000000aa", 7)
FULL = Event(
    id="evt_01k9v0000000000000000000aa",
    time=datetime(2026, 11, 22, 12, 0, 0, 5, tzinfo=UTC),
    action="files.file.download",
    outcome=Outcome.DENIED,
    reason="FILE_NOT_FOUND",
    actor=Actor(ActorKind.CUSTOMER, USR),
    subject=USR,
    target=Target("file", "fil_01k9v0000000000000000000aa"),
    origin=Origin("2001:db8::1", "firefox/linux"),
    request="3d7e5c1a-6c0f-4a43-9a4e-6a5b7f0b7c11",
    trace="0af7651916cd43dd8448eb211c80319c",
    session="ses_01k9v0000000000000000000aa",
    details={"bytes": 5, "currency": "sek", "state": "kept"},
)
PLAIN = Event(
    id=FULL.id, time=FULL.time, action="audit.log.start", outcome=Outcome.SUCCESS, actor=Actor(ActorKind.NOBODY)
)


def test_the_canonical_form_is_fixed() -> None:
    assert canonical(FULL, SOURCE) == (
        b'{"action":"files.file.download","actor":{"id":"usr_01k9v0000000000000000000aa","kind":"customer"},'
        b'"details":{"bytes":5,"currency":"sek","state":"kept"},"id":"evt_01k9v0000000000000000000aa",'
        b'"object":{"id":"fil_01k9v0000000000000000000aa","kind":"file"},'
        b'"origin":{"address":"2001:db8::1","device":"firefox/linux"},"outcome":"denied",'
        b'"producer":{"epoch":"epo_01k9v0000000000000000000aa","name":"files","number":7},"reason":"FILE_NOT_FOUND",'
        b'"request":"3d7e5c1a-6c0f-4a43-9a4e-6a5b7f0b7c11","session":"ses_01k9v0000000000000000000aa",'
        b'"subject":"usr_01k9v0000000000000000000aa","time":"2026-11-22T12:00:00.000005Z",'
        b'"trace":"0af7651916cd43dd8448eb211c80319c","v":1}'
    )


def test_absent_fields_are_left_out() -> None:
    assert set(json.loads(canonical(PLAIN, SOURCE))) == {"v", "id", "time", "action", "outcome", "actor", "producer"}


@pytest.mark.parametrize("event", [FULL, PLAIN])
def test_the_canonical_form_reads_back(event: Event) -> None:
    assert parse(canonical(event, SOURCE)) == (event, SOURCE)


def test_another_version_is_not_read() -> None:
    with pytest.raises(EventError):
        parse(canonical(PLAIN, SOURCE).replace(b'"v":1', b'"v":2'))


@pytest.mark.clause("P5", "ASVS 16.2.5", "ASVS 16.4.1")
@pytest.mark.parametrize(
    "field,changes",
    [
        ("event_id", {"id": "evt_1"}),
        ("event_id", {"id": USR}),
        ("time", {"time": datetime(2026, 1, 1)}),  # noqa: DTZ001 - that is what is refused
        ("time", {"time": datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1)))}),
        ("action", {"action": "login"}),
        ("action", {"action": "auth.Account.sign"}),
        ("action", {"action": "auth.sign\nin"}),
        ("action", {"action": "a." + "b" * 100}),
        ("reason", {"reason": ""}),
        ("reason", {"reason": "the password was hunter2"}),
        ("reason", {"outcome": Outcome.SUCCESS}),
        ("subject", {"subject": "anna@example.com", "origin": None}),
        ("actor.id", {"actor": Actor(ActorKind.CUSTOMER, "anna"), "origin": None}),
        ("actor.id", {"actor": Actor(ActorKind.NOBODY, USR)}),
        ("actor.id", {"actor": Actor(ActorKind.OPERATOR, "Anna Andersson"), "origin": None}),
        ("object.kind", {"target": Target("a file", "")}),
        ("object.id", {"target": Target("file", "My Diary.txt")}),
        ("object.id", {"target": Target("card", "4242424242424242")}),
        ("origin.address", {"origin": Origin("example.com", "")}),
        ("origin.address", {"origin": Origin("2001:DB8::1", "")}),
        ("origin.address", {"origin": Origin("fe80::1%eth0", "")}),
        ("origin.device", {"origin": Origin("", "Mozilla/5.0 (X11; Linux x86_64)")}),
        ("origin", {"actor": Actor(ActorKind.CUSTOMER, OTHER)}),
        ("origin", {"actor": Actor(ActorKind.SERVICE, "billing")}),
        ("request_id", {"request": "' OR 1=1"}),
        ("trace_id", {"trace": "0AF7"}),
        ("session", {"session": "token"}),
        ("details.bytes", {"details": {"bytes": -1}}),
        ("details.bytes", {"details": {"bytes": 1 << 53}}),
        ("details.bytes", {"details": {"bytes": "5"}}),
        ("details.bytes", {"details": {"bytes": True}}),
        ("details.currency", {"details": {"currency": "SEK"}}),
        ("details.currency", {"details": {"currency": 5}}),
        ("details.state", {"details": {"state": "fine"}}),
        ("details.digest", {"details": {"digest": "ab"}}),
        ("details.version", {"details": {"version": "one two"}}),
        ("details.note", {"details": {"note": "anything"}}),
    ],
)
def test_what_does_not_fit_is_refused_and_not_repeated(field: str, changes: dict[str, object]) -> None:
    with pytest.raises(EventError) as refused:
        replace(FULL, **changes)  # type: ignore[arg-type]  # the test hands over what types forbid, or a stand-in
    assert refused.value.field == field
    assert str(refused.value) == field


@pytest.mark.parametrize(
    "changes",
    [
        {"action": "/valv.audit.v1.LogService/GetTile"},
        {"actor": Actor(ActorKind.OPERATOR), "origin": None},
        {"actor": Actor(ActorKind.NOBODY)},
        {"target": Target("practice", "auth.password_parameters")},
        {"request": "req_01k9v0000000000000000000aa"},
        {"outcome": Outcome.SUCCESS, "reason": ""},
        {"details": {"bytes": (1 << 53) - 1}},
    ],
)
def test_what_the_kit_writes_fits(changes: dict[str, object]) -> None:
    replace(FULL, **changes)  # type: ignore[arg-type]  # the test hands over what types forbid, or a stand-in
