"""A person's account as a whole: taking everything along, an operator's hand on it, and having it erased."""

from __future__ import annotations

import json
import os
import re
import secrets
import sqlite3
import time
from contextlib import closing
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from deploy.cli import account, accounts, operator
from deploy.cli.verify.note import parse_key
from deploy.cli.verify.receipt import verify as require_receipt
from deploy.cli.verify.trust import Trust
from tests.support.live import ERASURE_GRACE, Live
from tests.support.person import Person, eventually, newcomer
from tests.support.shopping import Shopper, add_card

CONTENT = os.urandom(300_000)


def export(live: Live, person: Person, folder: Path, *more: str) -> tuple[int, Path]:
    """Run `valv account export` as a person; return its exit code and where the archive is."""
    token, archive = folder / "token", folder / f"{secrets.token_hex(4)}.zip"
    token.write_text(person.token)
    ca = live.layout.certificates / "browser" / "ca.pem"
    flags = ["--url", live.address, "--token-file", str(token), "--ca", str(ca), *more]
    return account.main(["export", str(archive), *flags]), archive


def run(live: Live, command: str, whom: str, *more: str) -> int:
    """Run `valv accounts` as the operator Greta."""
    certificate = live.layout.certificates / "operator" / "greta.pem"
    bundle = live.layout.certificates / "workload" / "ca.pem"
    flags = [
        "--certificate",
        str(certificate),
        "--bundle",
        str(bundle),
        "--auth",
        f"127.0.0.1:{live.layout.ports.auth}",
    ]
    return accounts.main([command, whom, *flags, *more])


@pytest.fixture(scope="module")
def greta(live: Live) -> str:
    """An operator with a certificate."""
    flags = ["--certs", str(live.layout.certificates), "--auth", f"127.0.0.1:{live.layout.ports.auth}"]
    assert operator.main(["issue", "greta", *flags]) == 0
    return "greta"


@pytest.mark.clause("P5", "P13")
def test_an_export_holds_everything_with_proofs_that_hold(live: Live, tmp_path: Path) -> None:
    person = newcomer(live)
    stored = person.upload("semester/2026: bilder.bin", CONTENT)
    add_card(person)
    Shopper(person).buy()
    eventually(lambda: "billing.charge.create" in {one["event"]["action"] for one in person.activities()} or None, 30)
    code, archive = export(live, person, tmp_path)
    assert code == 0
    assert archive.stat().st_mode & 0o777 == 0o600
    with ZipFile(archive) as opened:
        held = {name: opened.read(name) for name in opened.namelist()}
    mine = json.loads(held["account.json"])
    assert mine["account"]["email"] == person.email
    assert len(mine["sessions"]) == 1
    assert held[f"contents/{stored['fileId']}/semester_2026_ bilder.bin"] == CONTENT
    paid = json.loads(held["billing.json"])
    assert (len(paid["cards"]), paid["charges"][0]["charge"]["state"]) == (1, "STATE_SUCCEEDED")
    events = [json.loads(line)["event"] for line in held["activity.jsonl"].splitlines()]
    assert {"auth.account.sign_up", "files.file.upload", "billing.charge.create"} <= {one["action"] for one in events}
    key = Trust((parse_key(held["log-key.txt"].decode()),))
    for event in events:
        assert require_receipt(held[f"receipts/{event['eventId']}.tlog-proof"], key).event["id"] == event["eventId"]
    whole = b"".join(held.values())
    for secret in (person.password, person.token):
        assert secret.encode() not in whole


def test_an_export_whose_proofs_do_not_hold_leaves_no_archive(live: Live, tmp_path: Path) -> None:
    person = newcomer(live)
    published = person.http.get("/log/key").text.strip()
    name, number, material = published.split("+", 2)
    forged = f"{name}+{number}+{material[:-6]}AAAAA="
    code, archive = export(live, person, tmp_path, "--key", forged)
    assert code == 1
    assert list(tmp_path.iterdir()) == [tmp_path / "token"]
    person.token = "vst_" + "A" * 43
    code, archive = export(live, person, tmp_path)
    assert code == 1
    assert not archive.exists()


@pytest.mark.clause("P5", "P8", "ASVS 7.4.5", "PCI DSS 10.2.1.2")
def test_an_operators_hand_is_seen_by_the_customer_under_its_name(live: Live, greta: str) -> None:
    person = newcomer(live)
    whom = person.get("/v1/session")["session"]["accountId"]
    assert run(live, "find", person.email) == 0
    assert run(live, "disable", whom, "--reason", "compromised") == 0
    assert person.http.get("/v1/files").status_code == 401
    body = {"email": person.email, "password": person.password, "delivery": "TOKEN_DELIVERY_BODY"}
    stranger = {**body, "email": f"{secrets.token_hex(6)}@example.com"}
    answers = [live.client().post("/v1/session:signIn", json=one) for one in (body, stranger)]
    assert [one.status_code for one in answers] == [401, 401]
    assert len({re.sub(r"[0-9a-f-]{32,36}|req_\w+", "", one.text) for one in answers}) == 1
    assert run(live, "enable", whom) == 0
    person.http = live.client()
    person.sign_in()

    def uses() -> list[tuple[str, str]] | None:
        seen = [one["event"] for one in person.activities() if one["event"]["actor"]["kind"] == "KIND_OPERATOR"]
        found = [(one["actor"]["id"], one["action"].rpartition(".")[2]) for one in reversed(seen)]
        return found if len(found) > 2 else None

    assert eventually(uses, 30) == [(greta, "find"), (greta, "disable"), (greta, "enable")]


@pytest.mark.clause("P3", "ASVS 8.4.2")
def test_the_public_edge_knows_no_operators(live: Live) -> None:
    http = live.client()

    def knock(path: str, media: str) -> tuple[int, str, bytes]:
        reply = http.post(path, content=b"{}", headers={"Content-Type": media})
        words = re.sub(rb"[0-9a-f-]{36}|req_\w+", b"", reply.content)
        return reply.status_code, reply.headers.get("grpc-status", ""), words

    for media in ("application/json", "application/grpc"):
        nowhere = knock("/valv.auth.v1.NoService/Nothing", media)
        assert nowhere[:2] != (200, "0")
        for path in ("/valv.auth.v1.OperatorService/FindAccount", "/v1/operator/accounts", "/v1/accounts:find"):
            assert knock(path, media) == nowhere, path


@pytest.mark.clause("P5", "P11", "P13", "P14")
def test_an_erasure_leaves_nothing_but_proofs(live: Live, greta: str, tmp_path: Path) -> None:
    person = newcomer(live)
    stored = person.upload("kept", CONTENT)
    add_card(person)
    Shopper(person).buy()
    whom = person.get("/v1/session")["session"]["accountId"]
    code, archive = export(live, person, tmp_path)
    assert code == 0
    asked = person.http.post("/v1/account:erase", json={}).json()["erasure"]
    assert person.get("/v1/account/erasure")["erasure"] == asked
    assert person.http.post("/v1/account:cancelErasure", json={}).status_code == 200
    assert "erasure" not in person.get("/v1/account/erasure")
    assert person.http.post("/v1/account:cancelErasure", json={}).status_code == 400
    person.http.post("/v1/account:erase", json={}).raise_for_status()
    time.sleep(ERASURE_GRACE)
    eventually(lambda: person.http.get("/v1/files").status_code == 401 or None, 20)
    done = eventually(lambda: _erased(person), 60)
    assert "records of payments (1), which the law demands until 20" in done["text"]
    wrong = {"email": person.email, "password": person.password}
    assert live.client().post("/v1/session:signIn", json=wrong).status_code == 401
    eventually(lambda: None if run(live, "find", whom) == 0 else True, 30)
    assert _rows(live, "auth", person.email) == 0
    assert _rows(live, "files", stored["fileId"]) == 0
    with ZipFile(archive) as opened:
        key = Trust((parse_key(opened.read("log-key.txt").decode()),))
        proofs = [opened.read(name) for name in opened.namelist() if name.startswith("receipts/")]
    assert len(proofs) > 5
    for proof in proofs:
        assert require_receipt(proof, key).event["subject"] == whom
    enclosed = _enclosed(live, done)
    assert {require_receipt(data, key).event["action"] for data in enclosed} == {
        "files.account.erase",
        "billing.account.erase",
    }
    again = Person(live, email=person.email)
    again.http.post("/v1/account:signUp", json={"email": again.email, "password": again.password, "locale": "en"})
    eventually(lambda: "#token=" in again.mails()[0]["text"] or None)
    again.http.post("/v1/account:confirmEmail", json={"token": again.mailed_token()}).raise_for_status()
    assert again.sign_in().get("/v1/session")["session"]["accountId"] != whom
    assert again.get("/v1/files")["files"] == []


def _rows(live: Live, service: str, text: str) -> int:
    """Count the rows of a service's databases that hold a text; its records of what happened left aside."""
    count = 0
    for path in (live.layout.data / service).glob("*.db"):
        with closing(sqlite3.connect(path)) as database:
            names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for name in names:
                rows = [] if name == "outbox" else database.execute(f'SELECT * FROM "{name}"').fetchall()  # noqa: S608 - the name comes from the schema
                count += sum(text in str(row) for row in rows)
    return count


def _erased(person: Person) -> dict[str, Any] | None:
    return next((mail for mail in person.mails() if "has been erased" in mail["subject"]), None)


def _enclosed(live: Live, mail: dict[str, Any]) -> list[bytes]:
    """Return what is enclosed with a mail, as the sandbox keeps it."""
    path = live.layout.data / "mail" / f"{mail['name']}.eml"
    parts = message_from_bytes(path.read_bytes(), policy=policy.default).iter_attachments()
    return [part.get_content() for part in parts]
