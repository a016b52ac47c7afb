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

from tests.support.authenticator import Authenticator
from tests.support.authenticator_app import shown
from tests.support.canaries import Canary
from tests.support.live import Live
from tests.support.person import Person, eventually
from tests.support.shopping import Shopper, add_card
from tests.support.third_parties import oauth
from tests.support.third_parties.serving import ThirdParty

CARD = "4000056655665556"
TOKENS = ("session token", "mail token")
LOST = 2.0
"""Seconds after which a client of these flows hangs up."""


@dataclass(frozen=True)
class ThirdParties:
    """The real servers that people link, in which the person "anna" has one password."""

    oauth: ThirdParty
    files: ThirdParty
    mail: ThirdParty
    password: str


@dataclass
class Walk:
    """One installation, what was planted in it, and the flows that carry it.

    Passwords and contents are ours to choose: each is told apart, and all of a kind hold the same mark, so that one
    search finds any of them.
    """

    live: Live
    there: ThirdParties
    typed: str
    """The mark in the password of "anna" at all of them."""
    marks: dict[str, str] = field(default_factory=dict)
    planted: list[Canary] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)
    leaving: list[Person] = field(default_factory=list)
    """Those who have asked to be erased."""

    def __post_init__(self) -> None:
        """Plant what the third parties know."""
        self.marks["third-party password"] = self.plant("third-party password", self.typed)
        self.plant("client secret", (self.there.oauth.folder / "client-secret").read_text("utf-8"))

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
        return self.proceed(person, told["next"], **proof)

    def proceed(self, person: Person, asked: dict[str, str], **proof: str) -> int:
        """Answer a challenge; return the status."""
        step = {"challenge": asked["challenge"], "delivery": "TOKEN_DELIVERY_BODY", **proof}
        reply = person.http.post("/v1/session:continueSignIn", json=step)
        if reply.status_code == 200:
            person.token = self.plant("session token", reply.json()["sessionToken"])
            person.http.headers["Valv-Session"] = person.token
        return reply.status_code

    def consented(self, person: Person, provider: str = "grant") -> tuple[str, str]:
        """Begin a link and consent to what is shown; return its id and where to go."""
        begun = person.http.post("/v1/links:begin", json={"provider": provider}).raise_for_status().json()
        shown = {name: begun["purpose"][name] for name in ("version", "digest")}
        told = person.http.post(f"/v1/links/{begun['linkId']}:consent", json=shown).raise_for_status().json()
        return str(begun["linkId"]), str(told.get("authorizationUrl", ""))

    def unlink(self, person: Person, link: str) -> None:
        """End a link, and wait until there is none."""
        eventually(lambda: person.http.post(f"/v1/links/{link}:unlink", json={}).status_code == 200 or None)
        assert link not in {one["linkId"] for one in person.get("/v1/links").get("links", [])}

    def tokens_given(self) -> None:
        """Plant the tokens that the OAuth server has given out."""
        with closing(sqlite3.connect(self.there.oauth.folder / "server.db")) as database:
            for table in ("accesstoken", "refreshtoken"):
                rows = database.execute(f"SELECT token FROM oauth2_provider_{table}")  # noqa: S608 - names from here
                for (token,) in rows.fetchall():
                    self.plant("third-party token", token)

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
    link, _ = walk.consented(person)
    wrong = {"username": "anna", "password": walk.make("third-party password", "wrong")}
    assert person.http.post(f"/v1/links/{link}:connect", json=wrong).status_code == 400
    typed = {"username": "anna", "password": walk.there.password}
    with walk.there.oauth.stalled():
        walk.lost(person, "POST", f"/v1/links/{link}:connect", json=typed)
        hanging = threading.Thread(
            target=walk.lost,
            args=(person, "POST", f"/v1/links/{walk.consented(person)[0]}:connect"),
            kwargs={"json": typed},
        )
        hanging.start()
        time.sleep(0.5)  # the password is on its way
        walk.live.crash("auth")
        hanging.join()
    walk.live.start_one("auth")
    eventually(lambda: person.http.get("/v1/session").status_code == 200 or None, 20)
    kept, _ = walk.consented(person)
    person.http.post(f"/v1/links/{kept}:connect", json=typed).raise_for_status()
    walk.tokens_given()
    assert person.get("/v1/links")["links"][0]["linkId"] == kept
    walk.unlink(person, kept)


def _other_links(walk: Walk) -> None:
    """The same person at a WebDAV server and in a mailbox, and by the way to an OpenID provider and back."""
    person = walk.newcomer()
    for provider in ("files", "mail"):
        link, _ = walk.consented(person, provider)
        typed = {"username": "anna", "password": walk.make("third-party password", "wrong").encode().hex()}
        assert person.http.post(f"/v1/links/{link}:connect", json=typed).status_code == 400
        link, _ = walk.consented(person, provider)
        typed["password"] = walk.there.password
        person.http.post(f"/v1/links/{link}:connect", json=typed).raise_for_status()
        if provider == "files":
            walk.plant("third-party token", (walk.there.files.folder / "app-password").read_text("ascii"))
        walk.unlink(person, link)
    link, address = walk.consented(person, "identity")
    back = oauth.come_back(walk.there.oauth, address, walk.there.password)
    walk.plant("authorization code", back["code"])
    walk.live.client().get("/links/callback", params=back).raise_for_status()
    assert person.http.post("/v1/links:complete", json={**back, "code": back["code"][:-1]}).status_code == 400
    link, address = walk.consented(person, "identity")
    back = oauth.come_back(walk.there.oauth, address, walk.there.password)
    walk.plant("authorization code", back["code"])
    person.http.post("/v1/links:complete", json=back).raise_for_status()
    assert person.http.post("/v1/links:complete", json=back).status_code == 400
    walk.tokens_given()
    walk.unlink(person, link)


def _passkeys(walk: Walk) -> None:
    """A passkey is added, signs in beside the password and then alone."""
    person, device = walk.newcomer(), Authenticator(walk.live.address)
    begun = person.http.post("/v1/factors/passkeys:begin", json={}).raise_for_status().json()
    made = {"credentialJson": device.create(begun["optionsJson"]), "displayName": "a key"}
    walk.codes(person.http.post("/v1/factors/passkeys:confirm", json=made))
    body = {"email": person.email, "password": person.password}
    asked = person.http.post("/v1/session:signIn", json=body).raise_for_status().json()["next"]
    assert walk.proceed(person, asked, passkeyJson=device.get(asked["passkeyOptionsJson"])) == 200
    person.http.post("/v1/password:remove", json={}).raise_for_status()
    asked = person.http.post("/v1/session:beginPasskey", json={}).raise_for_status().json()["next"]
    answer = device.get(asked["passkeyOptionsJson"])
    assert walk.proceed(person, asked, passkeyJson=answer) == 200
    assert walk.proceed(person, asked, passkeyJson=answer) == 400


def _erased(walk: Walk) -> None:
    """An account with a factor, a link and a file is erased; the search begins when it is done."""
    person = walk.newcomer()
    person.upload("a name", walk.make("file content", "in a file that goes").encode())
    begun = person.http.post("/v1/factors/totp:begin", json={}).raise_for_status().json()
    app = pyotp.TOTP(walk.plant("TOTP seed", begun["secret"]))
    walk.codes(person.http.post("/v1/factors/totp:confirm", json={"code": shown(app)}))
    link, _ = walk.consented(person)
    typed = {"username": "anna", "password": walk.there.password}
    person.http.post(f"/v1/links/{link}:connect", json=typed).raise_for_status()
    walk.tokens_given()
    person.http.post("/v1/account:erase", json={}).raise_for_status()
    walk.leaving.append(person)


def wait_for_the_erased(walk: Walk) -> None:
    """Wait until those who asked for it are told that they are erased."""
    for person in walk.leaving:
        eventually(lambda who=person: any("raderat" in one["subject"] for one in who.mails()) or None, 60)  # type: ignore[misc]  # mypy infers no type for a lambda with defaults, or for an unpacked mapping


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


FLOWS = (
    _erased,
    _ordinary,
    _second_factors,
    _passkeys,
    _links,
    _other_links,
    _auth_stops_answering_and_dies,
    _others_die,
)
