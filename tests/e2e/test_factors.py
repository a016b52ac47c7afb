"""Second factors by the public API: enrolled, asked for, used once, recovered from, and passkeys in their place."""

from __future__ import annotations

from typing import Any

import httpx
import pyotp
import pytest

from tests.support.authenticator import Authenticator
from tests.support.authenticator_app import shown
from tests.support.live import Live
from tests.support.person import PASSWORD, Person, eventually, newcomer

NEW_PASSWORD = "the heron waits beside the reeds"
BODY = "TOKEN_DELIVERY_BODY"


@pytest.fixture
def person(live: Live) -> Person:
    """Somebody signed in."""
    return newcomer(live)


def ask(person: Person, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    reply = person.http.post(path, json=body or {})
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


def refused(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, next(one["reason"] for one in reply.json()["details"] if "reason" in one)


def first_step(person: Person, password: str = PASSWORD) -> dict[str, Any]:
    """Sign in by password from a client of its own; returns what is asked for then."""
    body = {"email": person.email, "password": password, "delivery": BODY}
    reply = person.live.client().post("/v1/session:signIn", json=body)
    assert reply.status_code == 200, reply.text
    assert reply.json()["sessionToken"] == ""
    return dict(reply.json()["next"])


def proceed(person: Person, challenge: str, **answer: str) -> httpx.Response:
    body = {"challenge": challenge, "delivery": BODY, **answer}
    return person.live.client().post("/v1/session:continueSignIn", json=body)


def become(person: Person, reply: httpx.Response) -> None:
    """Go on with the session that was opened."""
    assert reply.status_code == 200, reply.text
    person.token = reply.json()["sessionToken"]
    person.http.headers["Valv-Session"] = person.token


def enrol(person: Person) -> tuple[pyotp.TOTP, list[str]]:
    """Turn an authenticator app on with the code of the step before, so that the present one is left."""
    app = pyotp.TOTP(ask(person, "/v1/factors/totp:begin")["secret"])
    return app, ask(person, "/v1/factors/totp:confirm", {"code": shown(app, -1)})["recoveryCodes"]


@pytest.mark.clause("P9", "ASVS 6.5.1", "NIST 800-63B-4 3.1.4")
def test_an_app_is_enrolled_asked_for_and_never_believed_twice(person: Person) -> None:
    app, codes = enrol(person)
    assert len(codes) == 10
    asked = first_step(person)
    assert asked["factors"] == ["FACTOR_TOTP", "FACTOR_RECOVERY_CODE"]
    code = shown(app)
    opened = proceed(person, asked["challenge"], totpCode=code)
    assert opened.json()["session"]["email"] == person.email
    assert refused(proceed(person, asked["challenge"], totpCode=code)) == (400, "CHALLENGE_NOT_VALID")
    asked = first_step(person)
    assert refused(proceed(person, asked["challenge"], totpCode=code)) == (401, "SECOND_FACTOR_NOT_VALID")
    become(person, proceed(person, asked["challenge"], recoveryCode=codes[0].upper()))
    assert person.get("/v1/factors")["recoveryCodesLeft"] == 9
    asked = first_step(person)
    assert refused(proceed(person, asked["challenge"], recoveryCode=codes[0])) == (401, "SECOND_FACTOR_NOT_VALID")


@pytest.mark.clause("P9", "NIST 800-63B-4 4.6")
def test_the_owner_is_told_by_mail_of_changes_and_of_a_used_recovery_code(person: Person) -> None:
    _, codes = enrol(person)
    proceed(person, first_step(person)["challenge"], recoveryCode=codes[0])
    wanted = {"A way to sign in was added", "A recovery code was used"}
    eventually(lambda: wanted <= {str(mail["subject"]) for mail in person.mails()} or None)


@pytest.mark.clause("P9", "NIST 800-63B-4 3.1.7")
def test_a_passkey_signs_in_alone_takes_the_passwords_place_and_gives_it_back(person: Person) -> None:
    device = Authenticator(person.live.address)
    begun = ask(person, "/v1/factors/passkeys:begin")
    made = {"credentialJson": device.create(begun["optionsJson"]), "displayName": "Åsas nyckel"}
    passkey = ask(person, "/v1/factors/passkeys:confirm", made)["passkey"]
    ask(person, "/v1/password:remove")
    body = {"email": person.email, "password": PASSWORD, "delivery": BODY}
    assert refused(person.live.client().post("/v1/session:signIn", json=body)) == (401, "BAD_CREDENTIALS")
    asked = person.live.client().post("/v1/session:beginPasskey", json={}).json()["next"]
    assert asked["factors"] == ["FACTOR_PASSKEY"]
    become(person, proceed(person, asked["challenge"], passkeyJson=device.get(asked["passkeyOptionsJson"])))
    factors = person.get("/v1/factors")
    assert (factors["hasPassword"], factors["passkeys"][0]["displayName"]) == (False, "Åsas nyckel")
    path = f"/v1/factors/passkeys/{passkey['passkeyId']}:remove"
    assert refused(person.http.post(path, json={})) == (400, "PASSWORD_REQUIRED")
    ask(person, path, {"newPassword": NEW_PASSWORD})
    person.password = NEW_PASSWORD
    person.sign_in()


@pytest.mark.clause("ASVS 7.2.4", "ASVS 7.4.3", "P8")
def test_signing_in_anew_replaces_the_session_and_a_change_ends_the_others(live: Live, person: Person) -> None:
    other = Person(live, person.email).sign_in()
    app, _ = enrol(person)
    eventually(lambda: True if other.http.get("/v1/session").status_code == 401 else None, 2)
    again = ask(person, "/v1/session:reauthenticate", {"password": PASSWORD, "delivery": BODY})
    before = person.get("/v1/session")["session"]["sessionId"]
    stale = person.http.headers["Valv-Session"]
    become(person, proceed(person, again["next"]["challenge"], totpCode=shown(app)))
    assert person.get("/v1/session")["session"]["sessionId"] != before
    assert live.client(headers={"Valv-Session": stale}).get("/v1/session").status_code == 401


@pytest.mark.clause("ASVS 7.2.4")
def test_a_browser_that_signs_in_anew_goes_on_with_its_new_session_at_once(person: Person) -> None:
    """The assertion of the session before is still in its 30 seconds: the browser must not come with it."""
    browser = person.live.client(headers={"Origin": person.live.address})
    browser.post("/v1/session:signIn", json={"email": person.email, "password": PASSWORD}).raise_for_status()
    first = browser.get("/v1/session").json()["session"]["sessionId"]
    browser.get("/v1/files").raise_for_status()
    again = browser.post("/v1/session:reauthenticate", json={"password": PASSWORD})
    assert again.json()["session"]["sessionId"] != first
    for path in ("/v1/session", "/v1/files", "/v1/factors"):
        assert browser.get(path).status_code == 200
    assert browser.get("/v1/session").json()["session"]["sessionId"] == again.json()["session"]["sessionId"]


@pytest.mark.clause("P5", "ASVS 16.3.1")
def test_every_step_is_in_the_persons_own_history_with_its_factor(person: Person) -> None:
    app, _ = enrol(person)
    asked = first_step(person)
    proceed(person, asked["challenge"], totpCode="000000" if shown(app) != "000000" else "000001")
    become(person, proceed(person, asked["challenge"], totpCode=shown(app)))
    wanted = {
        ("auth.totp.confirm", "OUTCOME_SUCCESS", "otp"),
        ("auth.session.challenge", "OUTCOME_SUCCESS", "pwd"),
        ("auth.session.continue", "OUTCOME_DENIED", "otp"),
        ("auth.session.open", "OUTCOME_SUCCESS", "otp"),
    }
    eventually(lambda: wanted <= _history(person) or None, 30)


def _history(person: Person) -> set[tuple[str, str, str]]:
    events = [one["event"] for one in person.activities()]
    return {(one["action"], one["outcome"], one.get("details", {}).get("factor", "")) for one in events}
