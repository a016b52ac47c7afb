"""A person who uses Valv by its public API, as any HTTP client would."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from tests.support.live import Live

T = TypeVar("T")
RETRIES = 5
"""How often a read is tried again that was refused with the advice to do so."""
PASSWORD = "a lighthouse keeper counts waves"


@dataclass
class Person:
    """One account. ``http`` carries the session token in the header that API clients use."""

    live: Live
    email: str = field(default_factory=lambda: f"{secrets.token_hex(6)}@example.com")
    password: str = PASSWORD
    token: str = ""

    def __post_init__(self) -> None:
        """Open a client."""
        self.http = self.live.client()

    def sign_up(self) -> None:
        """Sign up and confirm the address with the token from the mail."""
        body = {"email": self.email, "password": self.password, "locale": "en"}
        self.http.post("/v1/account:signUp", json=body).raise_for_status()
        self.http.post("/v1/account:confirmEmail", json={"token": self.mailed_token()}).raise_for_status()

    def mailed_token(self) -> str:
        """Return the token of the newest mail, waiting for it."""
        found = re.search(r"#token=([\w.~-]+)", eventually(lambda: self.mails() or None)[0]["text"])
        assert found is not None
        return found[1]

    def mails(self) -> list[dict[str, Any]]:
        """Return this person's mails, newest first."""
        url = f"http://127.0.0.1:{self.live.layout.ports.mail}/messages"
        return list(httpx.get(url, params={"recipient": self.email}).json())

    def sign_in(self) -> Person:
        """Sign in as an API client."""
        body = {"email": self.email, "password": self.password, "delivery": "TOKEN_DELIVERY_BODY"}
        reply = self.http.post("/v1/session:signIn", json=body)
        reply.raise_for_status()
        self.token = reply.json()["sessionToken"]
        self.http.headers["Valv-Session"] = self.token
        return self

    def get(self, path: str, **options: Any) -> Any:
        """GET and return the JSON; asks again when told to."""
        reply = self.http.get(path, **options)
        for _ in range(RETRIES):
            if "RetryInfo" not in reply.text:
                break
            time.sleep(1)
            reply = self.http.get(path, **options)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def upload(self, name: str, content: bytes, media_type: str = "application/octet-stream") -> dict[str, Any]:
        """Upload a file; return its particulars."""
        headers = {"Content-Type": media_type}
        reply = self.http.post("/v1/files:upload", params={"displayName": name}, content=content, headers=headers)
        assert reply.status_code == 201, reply.text
        return dict(reply.json())

    def activities(self) -> list[dict[str, Any]]:
        """Return everything the log says about this person, newest first."""
        found: list[dict[str, Any]] = []
        token = ""
        while True:
            page = self.get("/v1/activity", params={"pageSize": 200, "pageToken": token})
            found += page.get("activities", [])
            token = page.get("nextPageToken", "")
            if not token:
                return found

    def proven(self, wanted: set[str]) -> list[dict[str, Any]]:
        """Wait until each of these actions has succeeded under a signed checkpoint; return their events."""

        def shown() -> list[dict[str, Any]] | None:
            found = [one for one in self.activities() if one["event"]["action"] in wanted and one.get("provable")]
            succeeded = {one["event"]["action"] for one in found if one["event"]["outcome"] == "OUTCOME_SUCCESS"}
            return found if wanted <= succeeded else None

        return eventually(shown, 30)


def newcomer(live: Live) -> Person:
    """Return somebody who has signed up, confirmed and signed in."""
    person = Person(live)
    person.sign_up()
    return person.sign_in()


def eventually(ask: Callable[[], T | None], seconds: float = 15.0) -> T:
    """Ask until there is an answer."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = ask()
        if answer is not None:
            return answer
        time.sleep(0.1)
    raise AssertionError("it did not happen in time")
