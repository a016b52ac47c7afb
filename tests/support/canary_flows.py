"""Owns the flows that planted secrets are carried through: all that people do, with processes stopped and killed.

Each flow begins with a person of its own. What it plants is searched for afterwards (``canaries.py``).
"""

from __future__ import annotations

import secrets
import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field

import httpx
import pyotp

from tests.support.authenticator_app import shown
from tests.support.canaries import Canary
from tests.support.live import Live
from tests.support.person import Person, eventually
from tests.support.shopping import Shopper, add_card
from tests.support.third_parties.serving import ThirdParty

CARD = "4000056655665556"
TOKENS = ("session token", "mail token")
LOST = 2.0
"""Seconds after which a client of these flows hangs up."""


@dataclass
class Walk:
    """One installation, what was planted in it, and the flows that carry it.

    Passwords and contents are ours to choose: each is told apart, and all of a kind hold the same mark, so that one
    search finds any of them.
    """

    live: Live
    party: ThirdParty
    """An OAuth server, in which the person "anna" has a password."""
    typed: str
    """The mark in that password."""
    marks: dict[str, str] = field(default_factory=dict)
    planted: list[Canary] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Plant what the third party knows."""
        self.marks["third-party password"] = self.plant("third-party password", self.typed)

    def plant(self, kind: str, text: str) -> str:
        """Remember a secret; of a token the random part."""
        self.planted.append(Canary(kind, text.partition("_")[2] if kind in TOKENS else text))
        return text

    def make(self, kind: str, words: str) -> str:
        """Return a new secret of this kind with the kind's mark."""
        if kind not in self.marks:
            self.marks[kind] = self.plant(kind, secrets.token_hex(12))
        return f"räv: {words} {self.marks[kind]} +/= {secrets.token_hex(3)}"

    def newcomer(self) -> Person:
        """Sign up, confirm and sign in."""
        person = Person(self.live, password=self.make("password", "a person's own"))
        self.people.append(person)
        body = {"email": person.email, "password": person.password, "locale": "sv"}
        person.http.post("/v1/account:signUp", json=body).raise_for_status()
        token = self.plant("mail token", person.mailed_token())
        person.http.post("/v1/account:confirmEmail", json={"token": token}).raise_for_status()
        assert person.http.post("/v1/account:confirmEmail", json={"token": token}).status_code == 400
        return self.sign_in(person)

    def sign_in(self, person: Person) -> Person:
        """Sign in as an API client."""
        person.sign_in()
        self.plant("session token", person.token)
        return person

    def browser(self, person: Person) -> httpx.Client:
        """Sign in as a browser; its token is in a cookie."""
        client = self.live.client(headers={"Origin": self.live.address})
        body = {"email": person.email, "password": person.password}
        client.post("/v1/session:signIn", json=body).raise_for_status()
        self.plant("session token", client.cookies["__Host-valv_session"])
        return client

    def codes(self, reply: httpx.Response) -> list[str]:
        """Return the recovery codes of an answer; remember the first, which is used, and the last, which is not."""
        codes = [str(code) for code in reply.raise_for_status().json()["recoveryCodes"]]
        for code in (codes[0], codes[-1]):
            self.plant("recovery code", code)
        return codes

    def second_step(self, person: Person, **proof: str) -> int:
        """Sign in with the password and a proof; return the status of the second step."""
        body = {"email": person.email, "password": person.password}
        told = person.http.post("/v1/session:signIn", json=body).raise_for_status().json()
        step = {"challenge": told["next"]["challenge"], "delivery": "TOKEN_DELIVERY_BODY", **proof}
        reply = person.http.post("/v1/session:continueSignIn", json=step)
        if reply.status_code == 200:
            person.token = self.plant("session token", reply.json()["sessionToken"])
            person.http.headers["Valv-Session"] = person.token
        return reply.status_code

    def consented(self, person: Person) -> str:
        """Begin a link and consent to what is shown; return its id."""
        begun = person.http.post("/v1/links:begin", json={"provider": "grant"}).raise_for_status().json()
        shown = {name: begun["purpose"][name] for name in ("version", "digest")}
        person.http.post(f"/v1/links/{begun['linkId']}:consent", json=shown).raise_for_status()
        return str(begun["linkId"])

    def lost(self, person: Person, verb: str, path: str, **options: object) -> None:
        """Send a request and do not wait for what may never come."""
        try:
            person.http.request(verb, path, timeout=LOST, **options)  # type: ignore[arg-type]  # the test hands over what types forbid, or a stand-in
        except httpx.TransportError:
            return


def _ordinary(walk: Walk) -> None:
    """Everything that goes well, and the refusals that belong to it."""
    person = walk.newcomer()
    content = walk.make("file content", "in a file")
    stored = person.upload("a name", content.encode())
    assert person.http.get(f"/v1/files/{stored['fileId']}/content").text == content
    walk.plant("card number", CARD)
    add_card(person, CARD)
    Shopper(person).buy()
    for path in ("/v1/session", "/v1/files", "/v1/cards", "/v1/charges", "/v1/activity"):
        person.get(path)
    browser = walk.browser(person)
    assert browser.get("/v1/files").status_code == 200
    assert browser.post("/v1/session:signOut", json={}).status_code == 200
    assert browser.get("/v1/session").status_code == 401
    wrong = {"email": person.email, "password": walk.make("password", "wrong")}
    assert person.http.post("/v1/session:signIn", json=wrong).status_code == 401
    assert person.http.post("/v1/account:signUp", json={**wrong, "locale": "tlh"}).status_code == 400
    forged = {"token": walk.plant("mail token", "vmt_" + secrets.token_urlsafe(32))}
    assert person.http.post("/v1/account:confirmEmail", json=forged).status_code == 400
    stranger = Person(walk.live, token=walk.plant("session token", "vst_" + secrets.token_urlsafe(32)))
    assert stranger.http.get("/v1/files", headers={"Valv-Session": stranger.token}).status_code == 401
    lost = walk.make("password", "in a broken body")
    broken = {"content": f'{{"password": "{lost}"', "headers": {"Content-Type": "application/json"}}
    assert person.http.post("/v1/session:signIn", **broken).status_code == 400  # type: ignore[arg-type]  # the test hands over what types forbid, or a stand-in


def _second_factors(walk: Walk) -> None:
    """An authenticator app is added and used, and recovery codes, well and badly; then it is removed."""
    person = walk.newcomer()
    begun = person.http.post("/v1/factors/totp:begin", json={}).raise_for_status().json()
    app = pyotp.TOTP(walk.plant("TOTP seed", begun["secret"]))
    first = {"code": shown(app, -1)}
    codes = walk.codes(person.http.post("/v1/factors/totp:confirm", json=first))
    assert walk.second_step(person, totpCode=first["code"]) == 401
    assert walk.second_step(person, recoveryCode=walk.plant("recovery code", "2" + codes[0][1:])) == 401
    assert walk.second_step(person, totpCode=shown(app)) == 200
    assert walk.second_step(person, recoveryCode=codes[0]) == 200
    fresh = walk.codes(person.http.post("/v1/factors/recoveryCodes:generate", json={}))
    assert person.get("/v1/factors")["recoveryCodesLeft"] == len(fresh)
    person.password = walk.make("password", "the only factor again")
    person.http.post("/v1/factors/totp:remove", json={"newPassword": person.password}).raise_for_status()


def _links(walk: Walk) -> None:
    """A third party is linked by its password: once refused, once while it and then auth fail, then for good."""
    person = walk.newcomer()
    link = walk.consented(person)
    wrong = {"username": "anna", "password": walk.make("third-party password", "wrong")}
    assert person.http.post(f"/v1/links/{link}:connect", json=wrong).status_code == 400
    typed = {"username": "anna", "password": f"räv: typed {walk.typed} +/="}
    with walk.party.stalled():
        walk.lost(person, "POST", f"/v1/links/{link}:connect", json=typed)
        hanging = threading.Thread(
            target=walk.lost,
            args=(person, "POST", f"/v1/links/{walk.consented(person)}:connect"),
            kwargs={"json": typed},
        )
        hanging.start()
        time.sleep(0.5)  # the password is on its way
        walk.live.crash("auth")
        hanging.join()
    walk.live.start_one("auth")
    eventually(lambda: person.http.get("/v1/session").status_code == 200 or None, 20)
    kept = walk.consented(person)
    person.http.post(f"/v1/links/{kept}:connect", json=typed).raise_for_status()
    with closing(sqlite3.connect(walk.party.folder / "server.db")) as database:
        for table in ("accesstoken", "refreshtoken"):
            rows = database.execute(f"SELECT token FROM oauth2_provider_{table}")  # noqa: S608 - names from here
            for (token,) in rows.fetchall():
                walk.plant("third-party token", token)
    assert person.get("/v1/links")["links"][0]["linkId"] == kept
    eventually(lambda: person.http.post(f"/v1/links/{kept}:unlink", json={}).status_code == 200 or None)


def _auth_stops_answering_and_dies(walk: Walk) -> None:
    """A sign-in, a sign-up and a renewal hang until the client gives up; then auth is killed under others."""
    person = walk.newcomer()
    walk.live.pause("auth")
    credentials = {"email": person.email, "password": person.password}
    walk.lost(person, "POST", "/v1/session:signIn", json=credentials)
    fresh = {"email": "c" + person.email, "password": walk.make("password", "unheard")}
    walk.lost(person, "POST", "/v1/account:signUp", json=fresh)
    walk.lost(person, "GET", "/v1/files")
    walk.live.resume("auth")
    eventually(lambda: person.http.get("/v1/session").status_code == 200 or None, 20)
    hanging = [
        threading.Thread(target=walk.lost, args=(person, "POST", "/v1/session:signIn"), kwargs={"json": credentials})
        for _ in range(4)
    ]
    for one in hanging:
        one.start()
    time.sleep(0.05)  # they are being hashed
    walk.live.crash("auth")
    for one in hanging:
        one.join()
    walk.live.start_one("auth")
    eventually(lambda: person.http.get("/v1/session").status_code == 200 or None, 20)
    walk.sign_in(person)


def _others_die(walk: Walk) -> None:
    """Files stops in an upload; the gateway and audit are killed while sessions are renewed."""
    person = walk.newcomer()
    content = walk.make("file content", "in a lost upload")
    walk.live.pause("files")
    walk.lost(person, "POST", "/v1/files:upload?displayName=lost", content=content)
    walk.live.kill("files")
    walk.live.start_one("files")
    for victim in ("gateway", "audit", "billing"):
        walk.live.kill(victim)
        for path in ("/v1/session", "/v1/cards", "/v1/activity"):
            walk.lost(person, "GET", path)
        walk.live.start_one(victim)
    for path in ("/v1/session", "/v1/files", "/v1/cards", "/v1/activity"):
        eventually(lambda at=path: person.http.get(at).status_code == 200 or None, 20)  # type: ignore[misc]  # mypy infers no type for a lambda with defaults, or for an unpacked mapping
    walk.sign_in(person)


FLOWS = (_ordinary, _second_factors, _links, _auth_stops_answering_and_dies, _others_die)
