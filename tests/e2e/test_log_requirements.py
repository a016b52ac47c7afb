"""What the log must hold, clause by clause: which entry proves it, which field; and that nobody can write into it."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict

from deploy.cli import accounts, certs
from services.gateway import contracts
from services.gateway.contracts import Exposed
from services.kit.clock import SystemClock
from tests.support.bad_calls import plausible
from tests.support.live import Live
from tests.support.person import Person, eventually, newcomer
from valv.audit.v1 import event_pb2

STORES = {"auth": "auth", "files": "files", "billing": "billing", "audit": "audit"}
MARKER = "zqxforgedzqx"
HOSTILE = f'{MARKER}\r\n{{"level": "ERROR", "event": "{MARKER}"}}\n\x1b[31m\u2028\u202e${{jndi:{MARKER}}} %s %n'


def recorded(live: Live) -> Iterator[event_pb2.Event]:
    """Yield every record that the services' outboxes still hold."""
    for role, name in STORES.items():
        path = live.layout.data / role / f"{name}.db"
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            for (data,) in database.execute("SELECT event FROM outbox"):
                yield event_pb2.Event.FromString(data)


def own(person: Person, action: str, outcome: str = "SUCCESS") -> list[dict[str, Any]]:
    """Return a person's entries of an action, waiting for the first."""

    def found() -> list[dict[str, Any]] | None:
        events = (activity["event"] for activity in person.activities())
        return [one for one in events if one["action"] == action and one["outcome"] == f"OUTCOME_{outcome}"] or None

    return eventually(found, 30)


@pytest.fixture(scope="module")
def person(live: Live) -> Person:
    """Somebody who has done one of each thing."""
    made = newcomer(live)
    stored = made.upload("a file", b"abc")
    made.get(f"/v1/files/{stored['fileId']}")
    made.http.get(f"/v1/files/{stored['fileId']}/content").raise_for_status()
    made.http.delete(f"/v1/files/{stored['fileId']}").raise_for_status()
    made.get("/v1/cards")
    refused = {"email": made.email, "password": "not " + made.password}
    assert Person(live).http.post("/v1/session:signIn", json=refused).status_code == 401
    assert made.http.get("/v1/files/fil_01jd9xk8w0q2m3n4p5r6s7t8v9").status_code == 404
    return made


@pytest.mark.clause("PCI DSS 10.2.1.1", "ASVS 16.3.2")
@pytest.mark.parametrize("action", ["files.file.download", "files.file.upload", "billing.card.list"])
def test_each_access_to_what_is_a_persons_is_an_entry(person: Person, action: str) -> None:
    assert {entry["actor"]["kind"] for entry in own(person, action)} == {"KIND_CUSTOMER"}


@pytest.mark.clause("PCI DSS 10.2.1.2", "PCI DSS 10.2.1.5")
def test_each_act_of_an_operator_is_an_entry_with_their_name(live: Live) -> None:
    person = newcomer(live)
    account = person.get("/v1/session")["session"]["accountId"]
    certificate = certs.issue_operator(live.layout.certificates, "anna", SystemClock().now())
    flags = ["--certificate", str(certificate), "--auth", f"127.0.0.1:{live.layout.ports.auth}"]
    flags += ["--bundle", str(live.layout.certificates / "workload" / "ca.pem")]
    assert accounts.main(["disable", account, "--reason", "compromised", *flags]) == 0
    operators = event_pb2.Actor.KIND_OPERATOR
    entries = [event for event in recorded(live) if event.subject == account and event.actor.kind == operators]
    assert [(entry.actor.id, entry.action, entry.details.cause) for entry in entries] == [
        ("anna", "auth.operator.disable", "compromised")
    ]


@pytest.mark.clause("PCI DSS 10.2.1.3")
def test_reading_the_log_is_itself_an_entry(person: Person) -> None:
    person.activities()
    assert own(person, "audit.activity.list")


@pytest.mark.clause("PCI DSS 10.2.1.4", "ASVS 16.3.1", "ASVS 16.3.2")
@pytest.mark.parametrize("action", ["auth.session.open", "files.file.read"])
def test_each_invalid_attempt_is_an_entry_with_its_reason(person: Person, action: str) -> None:
    assert all(entry["reason"] for entry in own(person, action, "DENIED"))


@pytest.mark.clause("PCI DSS 10.2.1.5", "ASVS 16.3.1")
@pytest.mark.parametrize("action", ["auth.account.sign_up", "auth.email.confirm", "auth.session.open"])
def test_making_an_account_and_signing_in_are_entries(person: Person, action: str) -> None:
    assert own(person, action)


@pytest.mark.clause("ASVS 16.3.1")
def test_an_authentication_tells_its_factor(live: Live, person: Person) -> None:
    opened = own(person, "auth.session.open")
    account = person.get("/v1/session")["session"]["accountId"]
    factors = {
        event.details.factor
        for event in recorded(live)
        if event.subject == account and event.action == "auth.session.open" and event.outcome == 1
    }
    assert opened
    assert factors == {"pwd"}


@pytest.mark.clause("PCI DSS 10.2.1.6")
def test_starting_the_log_is_an_entry_and_so_is_stopping_it(live: Live) -> None:
    def count(action: str) -> int:
        return sum(event.action == action for event in recorded(live))

    before = (count("audit.log.start"), count("audit.log.stop"))
    live.terminate("audit")
    live.start_one("audit")
    assert (count("audit.log.start"), count("audit.log.stop")) == (before[0] + 1, before[1] + 1)


@pytest.mark.clause("PCI DSS 10.2.1.7")
def test_making_and_removing_an_object_are_entries_that_name_it(person: Person) -> None:
    made, removed = own(person, "files.file.upload")[0], own(person, "files.file.delete")[0]
    assert made["object"] == removed["object"]
    assert made["object"]["id"].startswith("fil_")


@pytest.mark.clause("PCI DSS 10.2.2", "ASVS 16.2.1", "ASVS 16.2.2")
def test_every_entry_says_who_what_when_how_it_ended_where_from_and_what_it_touched(person: Person) -> None:
    entries = [activity for activity in person.activities() if activity["event"]["actor"]["kind"] == "KIND_CUSTOMER"]
    assert len(entries) > 5
    for activity in entries:
        event = activity["event"]
        assert event["actor"]["id"].startswith("usr_")  # user
        assert re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", event["action"])  # type of event
        assert event["time"].endswith("Z")  # date and time, with its offset
        assert abs(datetime.now(UTC) - datetime.fromisoformat(event["time"])) < timedelta(minutes=30)
        assert event["outcome"] in {"OUTCOME_SUCCESS", "OUTCOME_DENIED", "OUTCOME_FAILED"}  # success or failure
        assert event["origin"]["address"] == "127.0.0.1"  # origination
        assert activity["producer"] in STORES  # service
        assert event["requestId"]


def _hostile_calls(one: Exposed) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield (path, body or query, where) with each text of a method made hostile in turn."""
    texts = [field for field in one.method.input.DESCRIPTOR.fields if field.type == FieldDescriptor.TYPE_STRING]
    for hostile in texts:
        fields = MessageToDict(plausible(one.method))
        fields[hostile.json_name] = HOSTILE
        path = one.binding.path
        for name in re.findall(r"\{(\w+)[^}]*\}", path):
            wanted = one.method.input.DESCRIPTOR.fields_by_name[name].json_name
            path = re.sub(rf"\{{{name}[^}}]*\}}", quote(str(fields.pop(wanted, "")), safe=""), path)
        yield path, fields, f"{one.method.full_name} {hostile.name}"


@pytest.mark.clause("ASVS 16.4.1", "PCI DSS 10.3.2")
def test_no_text_of_a_caller_reaches_a_line_or_an_entry(live: Live) -> None:
    person, tried = newcomer(live), 0
    for one in contracts.exposed():
        if one.method.policy.plain_http or one.method.name in ("sign_out", "end_all_sessions"):
            continue
        if person.http.get("/v1/session").status_code != HTTPStatus.OK:  # a call has ended it
            person = newcomer(live)
        for path, fields, where in _hostile_calls(one):
            options = {"params": fields} if one.binding.verb in ("GET", "HEAD", "DELETE") else {"json": fields}
            reply = person.http.request(one.binding.verb, path, **options)  # type: ignore[arg-type]  # one of the two
            assert reply.status_code < 500, (where, reply.text)
            tried += 1
    headers = {"User-Agent": MARKER, "X-Request-Id": MARKER, "Traceparent": MARKER, "Accept-Language": MARKER}
    person.http.get("/v1/files", headers=headers)
    person.http.get(f"/v1/files?{MARKER}={MARKER}")
    assert tried > 50, "the contracts are not walked: the test is broken"
    assert newcomer(live).upload(MARKER, b"abc", f"text/{MARKER}")
    said = [
        (file.name, line)
        for file in live.layout.logs.glob("*")
        for line in file.read_text("utf-8", "replace").splitlines()
        if MARKER in line.lower()
    ]
    assert said == []
    for role in STORES:
        for line in live.log(role).splitlines():
            assert line.startswith("{") is False or json.loads(line)["logger"], line
    assert [event.action for event in recorded(live) if MARKER in str(event).lower()] == []
