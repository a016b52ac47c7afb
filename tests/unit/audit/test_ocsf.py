"""Every event as an OCSF event: what the schema accepts, and nothing that our event does not say."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from services.audit.checkpoint import Checkpoint
from services.audit.event import Source
from services.audit.ocsf.classes import ACTIONS
from services.audit.ocsf.marks import checkpoint, tombstone
from services.audit.ocsf.projection import Place, project
from services.kit.clock import milliseconds
from services.kit.event import MAX_NUMBER, Actor, ActorKind, Event, Origin, Outcome, Target
from services.kit.ids import Ids
from tests.support.clock import FakeClock

IDS = Ids(FakeClock())
ANNA, SESSION, REQUEST = IDS.new("usr"), IDS.new("ses"), IDS.new("req")
NOW = datetime(2026, 11, 22, 12, 30, 0, 123456, UTC)
HEAD = Checkpoint("valv.example/log", 70_000, b"\x07" * 32)
PLACE = Place(69_999, b"\x05" * 32, NOW + timedelta(milliseconds=250), HEAD)
SOURCE = Source("files", IDS.new("epo"), 12)


@cache
def validator(class_uid: int) -> Draft202012Validator:
    """Returns what judges events of a class, from the published schema."""
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.8.0"))
    return Draft202012Validator(schema.get_class_schema(schema.lookup_class_name_from_uid(class_uid), []))


def judged(made: dict[str, Any]) -> dict[str, Any]:
    """Returns the event as it travels, when the schema has nothing against it."""
    read: dict[str, Any] = json.loads(json.dumps(made))
    complaints = [f"{error.json_path}: {error.message}" for error in validator(read["class_uid"]).iter_errors(read)]
    assert complaints == []
    return read


def event(action: str = "files.file.download", **changes: Any) -> Event:
    values: dict[str, Any] = {
        "id": IDS.new("evt"),
        "time": NOW,
        "action": action,
        "outcome": Outcome.SUCCESS,
        "actor": Actor(ActorKind.CUSTOMER, ANNA),
        "subject": ANNA,
    }
    return Event(**(values | changes))


def texts(value: object) -> set[str]:
    """Returns every string in a JSON value."""
    if isinstance(value, dict):
        return set().union(*(texts(each) for each in value.values())) if value else set()
    if isinstance(value, list):
        return set().union(*(texts(each) for each in value)) if value else set()
    return {value} if isinstance(value, str) else set()


IDENTIFIERS = st.sampled_from(["usr", "fil", "chg", "ses", "crd"]).map(IDS.new)
NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,20}", fullmatch=True)
REASONS = st.sampled_from(["FILE_NOT_FOUND", "UNAUTHENTICATED", "RATE_LIMITED"])
DETAILS = st.fixed_dictionaries(
    {},
    optional={
        "bytes": st.integers(0, MAX_NUMBER),
        "count": st.integers(0, MAX_NUMBER),
        "window_seconds": st.integers(0, 3600),
        "factor": st.sampled_from(["pwd", "otp", "pop", "rc", "new1"]),
        "state": st.sampled_from(["kept", "broken", "unknown", "pending"]),
        "cause": st.sampled_from(["owner", "legal"]),
        "digest": st.just("ab" * 32),
    },
)


@st.composite
def events(draw: st.DrawFn) -> Event:
    """Any event that our schema takes."""
    outcome = draw(st.sampled_from(Outcome))
    kind = draw(st.sampled_from(ActorKind))
    named = kind is not ActorKind.NOBODY and (outcome is Outcome.SUCCESS or draw(st.booleans()))
    subject = draw(st.sampled_from(["", ANNA]))
    own = kind is ActorKind.CUSTOMER and named
    who = (subject or IDS.new("usr")) if own else draw(NAMES) if named else ""
    origin = Origin(
        draw(st.one_of(st.just(""), st.ip_addresses().map(str).filter(lambda text: "%" not in text))),
        draw(st.sampled_from(["", "firefox/linux"])),
    )
    target = st.builds(Target, NAMES, st.one_of(st.just(""), IDENTIFIERS, NAMES))
    return event(
        draw(st.one_of(st.sampled_from(sorted(ACTIONS)), st.just("/valv.auth.v1.SessionService/Check"))),
        time=NOW + timedelta(microseconds=draw(st.integers(-(10**15), 10**15))),
        outcome=outcome,
        reason="" if outcome is Outcome.SUCCESS else draw(REASONS),
        actor=Actor(kind, who),
        subject=subject,
        target=draw(st.none() | target),
        origin=origin if kind is ActorKind.NOBODY or (who and who == subject) else None,
        request=draw(st.sampled_from(["", REQUEST])),
        trace=draw(st.sampled_from(["", "0af7651916cd43dd8448eb211c80319c"])),
        session=draw(st.sampled_from(["", SESSION])),
        details=draw(DETAILS),
    )


@pytest.mark.clause("PCI DSS 10.2.2", "ASVS 16.2.1", "P5")
@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_every_action_is_an_event_that_the_schema_accepts(action: str, outcome: Outcome) -> None:
    reason = "" if outcome is Outcome.SUCCESS else "PERMISSION_DENIED"
    made = judged(project(event(action, outcome=outcome, reason=reason), SOURCE, PLACE))
    assert made["type_uid"] == made["class_uid"] * 100 + made["activity_id"]
    assert made["category_uid"] == made["class_uid"] // 1000


def test_the_schema_does_refuse() -> None:
    made = project(event(), SOURCE, PLACE)
    assert [error.json_path for error in validator(6006).iter_errors(made | {"time": "yesterday"})] == ["$.time"]
    del made["actor"]
    assert len(list(validator(6006).iter_errors(made))) == 1


@pytest.mark.clause("P5")
@settings(max_examples=150, deadline=None)
@given(happened=events(), index=st.integers(0, MAX_NUMBER))
def test_whatever_happened_is_accepted_and_says_nothing_that_the_event_does_not(happened: Event, index: int) -> None:
    place = Place(index, PLACE.leaf_hash, PLACE.arrived, HEAD)
    made = judged(project(happened, SOURCE, place))
    personal = {text for text in texts(made) if "usr_" in text or "ses_" in text}
    allowed = {happened.actor.id, happened.subject, happened.session, happened.target.id if happened.target else ""}
    assert personal <= allowed
    address = happened.origin.address if happened.origin else ""
    assert made.get("src_endpoint", {}).get("ip", "") == ("" if made["class_uid"] in {2003, 6002} else address)
    device = happened.origin.device if happened.origin else ""
    assert made["unmapped"]["valv"].get("device", "") == device


@pytest.mark.clause("PCI DSS 10.2.2", "ASVS 16.2.1")
def test_who_what_when_where_and_how_it_ended() -> None:
    happened = event(
        outcome=Outcome.DENIED,
        reason="FILE_NOT_FOUND",
        target=Target("file", IDS.new("fil")),
        origin=Origin("192.0.2.7", "firefox/linux"),
        request=REQUEST,
        session=SESSION,
        details={"bytes": 5},
    )
    assert happened.target is not None
    made = judged(project(happened, SOURCE, PLACE))
    assert (made["class_uid"], made["activity_name"], made["severity"]) == (6006, "Download", "Low")
    assert (made["status"], made["status_code"], made["status_detail"]) == ("Failure", "FILE_NOT_FOUND", "denied")
    assert made["actor"] == {"user": {"uid": ANNA, "type_id": 1, "type": "User"}, "session": {"uid": SESSION}}
    assert made["file"]["uid"] == happened.target.id
    assert made["src_endpoint"] == {"ip": "192.0.2.7"}
    metadata = made["metadata"]
    assert (metadata["uid"], metadata["sequence"], metadata["correlation_uid"]) == (happened.id, 69_999, REQUEST)
    assert metadata["logged_time"] - made["time"] == 250
    assert metadata["original_time"] == "2026-11-22T12:30:00.123456Z"
    log = made["unmapped"]["valv"]["log"]
    assert log == {
        "index": 69_999,
        "leaf_hash": "05" * 32,
        "checkpoint": {"size": 70_000, "root": "07" * 32},
    }
    assert made["unmapped"]["valv"]["details"] == {"bytes": 5}


def test_what_a_stranger_tried_names_nobody() -> None:
    happened = event(
        "auth.session.open",
        outcome=Outcome.DENIED,
        reason="CREDENTIALS_WRONG",
        actor=Actor(ActorKind.NOBODY),
        subject="",
        details={"factor": "pwd"},
    )
    made = judged(project(happened, SOURCE, PLACE))
    assert made["user"] == {"name": "unknown", "type_id": 0, "type": "Unknown"}
    assert "actor" not in made
    assert "src_endpoint" not in made
    assert made["auth_factors"] == [{"factor_type_id": 11, "factor_type": "Password"}]


@pytest.mark.parametrize("state, severity, status", [("kept", 1, "Pass"), ("broken", 4, "Fail")])
def test_a_live_check_is_a_finding(state: str, severity: int, status: str) -> None:
    happened = event(
        "practice.check",
        actor=Actor(ActorKind.SERVICE, "audit"),
        subject="",
        target=Target("practice", "audit.gaps"),
        details={"state": state, "count": 3},
    )
    made = judged(project(happened, SOURCE, PLACE))
    assert (made["class_uid"], made["severity_id"]) == (2003, severity)
    assert made["compliance"]["status"] == status
    assert made["finding_info"]["uid"] == "audit.gaps"


def test_a_tombstone_says_where_the_entry_stands_and_nothing_else() -> None:
    made = judged(tombstone(PLACE, NOW))
    assert made["metadata"]["sequence"] == 69_999
    assert made["unmapped"]["valv"]["log"]["leaf_hash"] == "05" * 32
    assert made["time"] == milliseconds(NOW)
    assert "user" not in made
    assert "actor" not in made


def test_a_batch_ends_with_the_signed_checkpoint_and_its_indexes() -> None:
    note = HEAD.text.encode() + "\n— valv.example/log c2ln\n".encode()
    made = judged(checkpoint(note, HEAD, 69_500, 69_999, NOW))
    said = made["unmapped"]["valv"]
    assert (said["record"], said["first"], said["last"], said["size"]) == ("checkpoint", 69_500, 69_999, 70_000)
    assert said["note"].encode() == note
