"""Sessions, password, address and recovery by the public API, as a browser with cookies has them."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.support.live import Live
from tests.support.person import PASSWORD, Person, eventually

NEW_PASSWORD = "the heron waits beside the reeds"
COOKIES = {"__Host-valv_session", "__Host-valv_device"}


class Browser:
    """A browser of somebody: its cookies, and the headers that pages of this origin send."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.http = person.live.client()
        self.http.headers.update({"Origin": person.live.address, "Sec-Fetch-Site": "same-origin"})

    def sign_in(self, password: str = PASSWORD) -> httpx.Response:
        """Sign in."""
        return self.http.post("/v1/session:signIn", json={"email": self.person.email, "password": password})

    def signed_in(self) -> bool:
        """Whether the browser is signed in."""
        return self.http.get("/v1/session").status_code == 200

    def cookies(self) -> set[str]:
        """The names of its cookies."""
        return {cookie.name for cookie in self.http.cookies.jar}


@pytest.fixture
def person(live: Live) -> Person:
    """Somebody with an account."""
    made = Person(live)
    made.sign_up()
    return made


def mailed(person: Person, subject: str) -> str:
    """Return the text of a mail, waiting for it."""
    return eventually(lambda: next((str(m["text"]) for m in person.mails() if m["subject"] == subject), None))


def token_in(text: str, page: str) -> str:
    found = re.search(rf"/{page}#token=([\w.~-]+)", text)
    assert found is not None
    return found[1]


@pytest.mark.clause("ASVS 7.2.4", "P8", "P9")
def test_a_browsers_second_sign_in_ends_its_first_and_is_no_new_device(person: Person) -> None:
    browser = Browser(person)
    browser.sign_in().raise_for_status()
    assert browser.cookies() >= COOKIES
    first = browser.http.cookies["__Host-valv_session"]
    browser.sign_in().raise_for_status()
    assert browser.http.cookies["__Host-valv_session"] != first
    old = person.live.client().get("/v1/session", headers={"Valv-Session": first})
    assert (old.status_code, "SESSION_ENDED" in old.text) == (401, True)
    assert browser.signed_in()
    Browser(person).sign_in().raise_for_status()
    mailed(person, "A new device signed in")
    assert [mail["subject"] for mail in person.mails()].count("A new device signed in") == 1


@pytest.mark.clause("ASVS 7.4.3", "ASVS 6.2.3", "P8")
def test_a_browser_goes_on_after_changing_its_password_and_others_do_not(person: Person) -> None:
    browser, other = Browser(person), Browser(person)
    for one in (browser, other):
        one.sign_in().raise_for_status()
        one.http.post("/v1/session:extend", json={}).raise_for_status()  # both hold an assertion now
    change = {"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD}
    reply = browser.http.post("/v1/password:change", json=change)
    assert reply.status_code == 200, reply.text
    assert browser.signed_in()
    assert browser.http.post("/v1/session:extend", json={}).status_code == 200
    assert not other.signed_in()
    assert other.sign_in().status_code == 401
    assert other.sign_in(NEW_PASSWORD).status_code == 200
    listed = browser.http.get("/v1/sessions").json()["sessions"]
    assert [one["current"] for one in listed] == [True, False]
    ended = browser.http.post(f"/v1/sessions/{listed[1]['sessionId']}:end", json={})
    assert ended.status_code == 200, ended.text
    assert not other.signed_in()
    assert browser.http.post("/v1/sessions:endAll", json={}).json() == {"ended": 1}
    assert not browser.signed_in()
    assert browser.cookies() & COOKIES == {"__Host-valv_device"}


@pytest.mark.clause("ASVS 6.4.3", "P9")
def test_who_forgot_the_password_gets_back_in_by_mail(person: Person) -> None:
    browser = Browser(person)
    browser.sign_in().raise_for_status()
    for email in (person.email, "nobody@example.com"):
        reply = person.live.client().post("/v1/account:recover", json={"email": email})
        assert (reply.status_code, reply.json()) == (200, {})
    token = token_in(mailed(person, "Choose a new password"), "reset")
    reset = {"token": token, "newPassword": NEW_PASSWORD}
    reply = person.live.client().post("/v1/account:resetPassword", json=reset)
    assert (reply.status_code, reply.json()) == (200, {})
    assert not browser.signed_in()
    assert browser.sign_in(NEW_PASSWORD).status_code == 200
    assert person.live.client().post("/v1/account:resetPassword", json=reset).status_code == 400


@pytest.mark.clause("ASVS 6.3.7", "P9")
def test_an_address_is_changed_from_the_browser_that_is_signed_in(person: Person) -> None:
    browser = Browser(person)
    browser.sign_in().raise_for_status()
    new = f"new-{person.email}"
    browser.http.post("/v1/email:change", json={"newEmail": new}).raise_for_status()
    mailed(person, "A change of your e-mail address was asked for")
    person.email, old = new, person.email
    confirm = {"token": token_in(mailed(person, "Confirm your new e-mail address"), "confirm-change")}
    assert person.live.client().post("/v1/email:confirmChange", json=confirm).status_code == 401
    reply = browser.http.post("/v1/email:confirmChange", json=confirm)
    assert (reply.status_code, reply.json()) == (200, {"email": new})
    assert browser.signed_in()
    assert Browser(person).sign_in().status_code == 200
    person.email = old
    assert Browser(person).sign_in().status_code == 401
