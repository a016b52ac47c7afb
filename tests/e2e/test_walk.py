"""What a person can do with Valv, by its public API, from signing up to checking the receipts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from deploy.cli.layout import REPOSITORY
from tests.support.live import Live
from tests.support.person import PASSWORD, Person, eventually, newcomer
from tests.support.shopping import Shopper, add_card

CONTENT = os.urandom(3 * 1024 * 1024 + 17)


@pytest.fixture(scope="module")
def person(live: Live) -> Person:
    return newcomer(live)


def test_signing_in_needs_a_confirmed_address(live: Live) -> None:
    person = Person(live)
    body = {"email": person.email, "password": PASSWORD}
    person.http.post("/v1/account:signUp", json=body).raise_for_status()
    refused = person.http.post("/v1/session:signIn", json=body)
    assert refused.status_code == 401
    person.http.post("/v1/account:confirmEmail", json={"token": person.mailed_token()}).raise_for_status()
    assert person.http.post("/v1/session:signIn", json=body).status_code == 200


@pytest.mark.clause("P7")
def test_a_person_sees_who_they_are_and_how_long(person: Person) -> None:
    session = person.get("/v1/session")["session"]
    assert session["email"] == person.email
    assert session["sessionId"].startswith("ses_")
    assert session["now"] < session["ends"]


def test_a_browser_gets_a_cookie_that_no_page_can_read(person: Person) -> None:
    browser = person.live.client(headers={"Origin": person.live.address})
    reply = browser.post("/v1/session:signIn", json={"email": person.email, "password": PASSWORD})
    cookie = next(line for line in reply.headers.get_list("set-cookie") if "valv_session" in line)
    assert cookie.startswith("__Host-valv_session=")
    assert {"HttpOnly", "Secure", "SameSite=Strict", "Path=/"} <= set(cookie.replace("; ", ";").split(";"))
    assert reply.json()["sessionToken"] == ""
    assert browser.get("/v1/session").json()["session"]["email"] == person.email


@pytest.mark.clause("P13")
def test_a_file_comes_back_as_it_was_sent(person: Person) -> None:
    stored = person.upload("räksmörgås 🦐.bin", CONTENT, "application/x-test")
    listed = person.get("/v1/files")["files"][0]
    assert (listed["fileId"], listed["displayName"]) == (stored["fileId"], "räksmörgås 🦐.bin")
    assert int(listed["size"]) == len(CONTENT)
    path = f"/v1/files/{stored['fileId']}/content"
    whole = person.http.get(path)
    assert whole.content == CONTENT
    assert whole.headers["content-disposition"].startswith("attachment")
    part = person.http.get(path, headers={"Range": "bytes=1000000-2000000"})
    assert (part.status_code, part.content) == (206, CONTENT[1000000:2000001])
    assert person.http.get(path, headers={"If-None-Match": whole.headers["etag"]}).status_code == 304
    assert person.http.head(path).headers["content-length"] == str(len(CONTENT))
    assert not _on_disk(person.live.layout.data, CONTENT[:64])
    assert person.http.delete(f"/v1/files/{stored['fileId']}").status_code == 200
    assert person.http.get(path).status_code == 404


def test_a_file_of_no_bytes_is_a_file(person: Person) -> None:
    stored = person.upload("empty", b"")
    assert person.http.get(f"/v1/files/{stored['fileId']}/content").content == b""


@pytest.mark.clause("P13")
def test_nobody_else_can_tell_that_a_file_exists(live: Live, person: Person) -> None:
    stored = person.upload("mine.txt", b"mine")
    other = newcomer(live)
    for verb, path in (("GET", ""), ("DELETE", ""), ("GET", "/content"), ("HEAD", "/content")):
        assert other.http.request(verb, f"/v1/files/{stored['fileId']}{path}").status_code == 404
    assert other.get("/v1/files").get("files", []) == []
    assert person.http.get(f"/v1/files/{stored['fileId']}/content").content == b"mine"


@pytest.mark.clause("P11")
def test_a_card_is_added_at_the_gateway_charged_by_the_shop_and_refunded(person: Person) -> None:
    card = add_card(person)
    assert (card["brand"], card["last4"]) == ("visa", "4242")
    shopper = Shopper(person)
    order = shopper.buy()
    charge = person.get("/v1/charges")["charges"][0]
    assert (charge["state"], charge["merchant"], charge["last4"]) == ("STATE_SUCCEEDED", "shop", "4242")
    shopper.refund(order)
    charge = person.get("/v1/charges")["charges"][0]
    assert charge["refundedMinor"] == charge["amount"]["minor"]


@pytest.mark.clause("P5", "PCI DSS 10.2.1.1", "ASVS 16.3.1")
def test_everything_is_in_the_log_with_a_receipt_that_verifies_offline(person: Person, tmp_path: Path) -> None:
    wanted = {
        "auth.session.open", "files.file.upload", "files.file.download", "files.file.delete", "billing.card.create",
        "billing.charge.create", "billing.refund.create", "auth.account.sign_up", "auth.email.confirm",
    }  # fmt: skip
    seen = person.proven(wanted)
    key = person.http.get("/log/key").text
    for activity in seen:
        receipt = eventually(lambda one=activity: _receipt(person, one))  # type: ignore[misc]  # mypy infers no type for a lambda with defaults, or for an unpacked mapping
        (tmp_path / "receipt.txt").write_text(receipt)
        (tmp_path / "key.txt").write_text(key)
        done = _verify(tmp_path / "receipt.txt", tmp_path / "key.txt")
        assert done.returncode == 0, done.stdout + done.stderr
        (tmp_path / "receipt.txt").write_text(receipt.replace("\nindex ", "\nindex 1"))
        assert _verify(tmp_path / "receipt.txt", tmp_path / "key.txt").returncode == 1


@pytest.mark.clause("P8")
def test_signing_out_means_out(live: Live) -> None:
    person = newcomer(live)
    assertion = person.http.get("/v1/files").headers["valv-assertion"]
    assert person.http.post("/v1/session:signOut", json={}).status_code == 200
    assert person.http.get("/v1/session").status_code == 401
    for path in ("/v1/files", "/v1/cards", "/v1/activity", "/v1/session"):  # the assertion is still within its 30 s
        eventually(lambda at=path: True if _bearing(person, assertion, at) == 401 else None, 2)  # type: ignore[misc]  # mypy infers no type for a lambda with defaults, or for an unpacked mapping


@pytest.mark.clause("P5")
def test_a_stranger_can_verify_the_evidence_of_a_promise(live: Live, tmp_path: Path) -> None:
    stranger = Person(live).http
    receipt = eventually(lambda: _evidence(stranger, "auth.password_parameters"), 60)
    (tmp_path / "receipt.txt").write_text(receipt)
    (tmp_path / "key.txt").write_text(stranger.get("/log/key").text)
    done = _verify(tmp_path / "receipt.txt", tmp_path / "key.txt")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "practice.check" in done.stdout
    for name in ("auth.nothing", "auth.session.open", "%2e%2e"):
        assert stranger.get(f"/v1/practices/{name}/receipt").status_code == 404


def test_the_security_page_tells_the_state_of_every_promise(live: Live, person: Person) -> None:
    practices = person.get("/v1/practices")["practices"]
    assert [practice["promise"] for practice in practices] == [f"P{number}" for number in range(1, 16)]
    states = {"STATE_NO_CHECK", "STATE_UNKNOWN", "STATE_KEPT"}
    assert {practice["state"] for practice in practices} <= states
    eventually(lambda: _kept(person, {"P5", "P6", "P7", "P8", "P11", "P13"}), 60)
    assert "text/html" in person.http.get("/security").headers["content-type"]


def _kept(person: Person, promises: set[str]) -> set[str] | None:
    practices = person.get("/v1/practices")["practices"]
    kept = {practice["promise"] for practice in practices if practice["state"] == "STATE_KEPT"}
    return kept if promises <= kept else None


def _evidence(client: httpx.Client, check: str) -> str | None:
    reply = client.get(f"/v1/practices/{check}/receipt")
    return reply.text if reply.status_code == 200 else None


def _receipt(person: Person, activity: dict[str, dict[str, str]]) -> str | None:
    reply = person.http.get(f"/v1/activity/{activity['event']['eventId']}/receipt")
    return reply.text if reply.status_code == 200 else None


def _verify(receipt: Path, key: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deploy.cli.verify", str(receipt), "--key", str(key)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY)


def _bearing(person: Person, assertion: str, path: str) -> int:
    return person.live.client().get(path, headers={"Valv-Assertion": assertion}).status_code


def _on_disk(folder: Path, needle: bytes) -> bool:
    return any(needle in path.read_bytes() for path in folder.rglob("*") if path.is_file())
