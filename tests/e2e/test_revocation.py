"""A session that was ended stays ended, whatever is killed or stopped before its last assertion runs out."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from tests.support.live import Live
from tests.support.person import Person, eventually, newcomer

SERVICES = {"auth": "/v1/session", "files": "/v1/files", "billing": "/v1/cards", "audit": "/v1/activity"}
ENDED = "SESSION_ENDED"
SILENT_SECONDS = 5.0


class Bearer:
    """Somebody with an assertion and nothing else: Envoy verifies it without asking auth."""

    def __init__(self, person: Person) -> None:
        answer = eventually(lambda: _renewed(person))  # a service that was killed before may still be finding auth
        self.assertion = answer.headers["valv-assertion"]
        claims = self.assertion.split(".")[1]
        self.expires = float(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"])
        self._http = person.live.client(headers={"Valv-Assertion": self.assertion})

    def ask(self, service: str) -> tuple[int, str]:
        """Return the status and the reason of a service's answer."""
        try:
            reply = self._http.get(SERVICES[service], timeout=10)
        except httpx.TransportError:
            return 0, ""
        details = [] if reply.status_code == 200 else reply.json().get("details", [])
        return reply.status_code, next((one["reason"] for one in details if "reason" in one), "")

    def refused(self, service: str) -> bool | None:
        """Whether the service knows that the session has ended; fails when it is let in."""
        status, reason = self.ask(service)
        assert status != 200, f"{service} let an ended session in"
        return True if reason == ENDED else None


def _renewed(person: Person) -> httpx.Response | None:
    reply = person.http.get("/v1/files")
    return reply if reply.status_code == 200 else None


def _signed_out(live: Live) -> Bearer:
    person = newcomer(live)
    bearer = Bearer(person)
    for service in SERVICES:
        eventually(lambda at=service: bearer.ask(at) == (200, "") or None)  # type: ignore[misc]  # mypy infers no type for a lambda with defaults, or for an unpacked mapping
    assert person.http.post("/v1/session:signOut", json={}).status_code == 200
    return bearer


@pytest.mark.clause("P8", "ASVS 7.4.1", "NIST 800-63B-4 5.1")
@pytest.mark.parametrize("victim", SERVICES)
def test_a_service_that_is_killed_after_a_sign_out_has_not_forgotten_it(live: Live, victim: str) -> None:
    bearer = _signed_out(live)
    live.kill(victim)
    live.start_one(victim)
    for service in SERVICES:
        eventually(lambda at=service: bearer.refused(at), 20)  # type: ignore[misc]  # mypy infers no type for a lambda with defaults, or for an unpacked mapping
    assert time.time() < bearer.expires, "the assertion ran out: nothing was proven"


@pytest.mark.clause("P8", "ASVS 7.4.1")
def test_all_killed_at_once_they_refuse_until_the_assertion_runs_out(live: Live) -> None:
    bearer, other = _signed_out(live), Bearer(newcomer(live))
    for service in SERVICES:
        live.kill(service)
    with ThreadPoolExecutor(len(SERVICES)) as pool:
        list(pool.map(live.start_one, SERVICES))
    for service in SERVICES:
        eventually(lambda at=service: bearer.refused(at), 20)  # type: ignore[misc]  # mypy infers no type for a lambda with defaults, or for an unpacked mapping
        assert other.ask(service) == (200, "")  # it is this one session that it refuses
    assert time.time() < bearer.expires, "the assertion ran out: nothing was proven"
    while time.time() < bearer.expires:
        told = {service: bearer.ask(service) for service in SERVICES}
        assert {status for status, _ in told.values()} <= {401, 503}, told
        time.sleep(0.25)


@pytest.mark.clause("P8", "ASVS 16.5.3")
def test_cut_off_from_auth_they_do_not_guess_and_they_recover(live: Live) -> None:
    person = newcomer(live)
    bearer = Bearer(person)
    others = [service for service in SERVICES if service != "auth"]
    for service in others:
        eventually(lambda at=service: bearer.ask(at) == (200, "") or None)  # type: ignore[misc]  # mypy infers no type for a lambda with defaults, or for an unpacked mapping
    with _stopped(live, "auth"):
        begun = time.monotonic()
        for service in others:
            told = eventually(lambda at=service: _unknown(bearer, at))  # type: ignore[misc]  # mypy infers no type for a lambda with defaults, or for an unpacked mapping
            assert told == (503, "REVOCATION_UNKNOWN")
        assert time.monotonic() - begun > SILENT_SECONDS - 1  # the last sign of life was at most half a second old
        time.sleep(1)
        assert {bearer.ask(service) for service in others} == {(503, "REVOCATION_UNKNOWN")}
    for service in SERVICES:
        eventually(lambda at=service: person.http.get(SERVICES[at]).status_code == 200 or None, 20)  # type: ignore[misc]  # mypy infers no type for a lambda with defaults, or for an unpacked mapping


@contextmanager
def _stopped(live: Live, name: str) -> Iterator[None]:
    live.pause(name)
    try:
        yield
    finally:
        live.resume(name)


def _unknown(bearer: Bearer, service: str) -> tuple[int, str] | None:
    told = bearer.ask(service)
    return None if told == (200, "") else told
