"""One trace runs from the edge through every service to the store and the audit entry, and carries no secret."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import httpx
import pytest

from tests.support.live import Live
from tests.support.person import Person, eventually, newcomer
from tests.support.shopping import Shopper, add_card

CHOSEN = "4bf92f3577b34da6a3ce929d0e0e4736"
MARKER = "the-marker-inside-a-file"
NAME = "the-name-of-a-file"
CARD = "4000056655665556"
Span = dict[str, Any]


def _spans(live: Live, trace: str) -> list[Span]:
    found: list[Span] = []
    for path in live.layout.logs.glob("spans-*.jsonl"):
        lines = path.read_text("utf-8").splitlines(keepends=True)
        found += [json.loads(line) for line in lines if trace in line and line.endswith("\n")]
    return found


def _trace_of(person: Person, reply: httpx.Response) -> str:
    """Return the trace that the log says a request belonged to."""
    assert reply.status_code < 300, reply.text
    request = reply.headers["x-request-id"]

    def ask() -> str | None:
        seen = (one["event"] for one in person.activities())
        return next((event["traceId"] for event in seen if event["requestId"] == request), None)

    return eventually(ask)


def _chain(spans: list[Span], span: Span) -> Iterator[tuple[str, str]]:
    """Walk from a span to the root: service and kind of each."""
    by_id = {one["span"]: one for one in spans}
    yield span["service"], span["kind"]
    while span["parent"]:
        span = by_id[span["parent"]]  # a parent that nobody has is a broken trace
        yield span["service"], span["kind"]


def _whole(live: Live, trace: str, *methods: tuple[str, str]) -> list[Span]:
    """Return the trace's spans once these methods of these services are served in it and no parent is missing.

    Each process writes its spans at its own pace.
    """

    def ask() -> list[Span] | None:
        spans = _spans(live, trace)
        served = [(one["service"], one["name"]) for one in spans if one["kind"] == "server"]
        known = {one["span"] for one in spans} | {""}
        wanted = all(any(name.endswith(end) for by, name in served if by == service) for service, end in methods)
        return spans if wanted and all(one["parent"] in known for one in spans) else None

    return eventually(ask, 30)


@pytest.mark.clause("P5", "ASVS 16.2.1")
@pytest.mark.parametrize("headers", [{}, {"traceparent": f"00-{CHOSEN}-00f067aa0ba902b7-01"}], ids=["own", "chosen"])
def test_one_trace_from_the_edge_to_the_store_and_the_log(live: Live, headers: dict[str, str]) -> None:
    person = newcomer(live)
    reply = person.http.post("/v1/files:upload", params={"displayName": "a"}, content=b"traced", headers=headers)
    trace = _trace_of(person, reply)
    assert trace != CHOSEN  # the edge begins the trace: no client may tie its calls to another's record
    spans = _whole(live, trace, ("files", "/Upload"), ("auth", "/Renew"))
    assert [one["service"] for one in spans if not one["parent"]] == ["envoy"]
    chains = {tuple(_chain(spans, one)) for one in spans}
    serving = (("files", "server"), ("envoy", "server"))
    renewing = (("auth", "server"), ("gateway", "client"), ("gateway", "server"), ("envoy", "client"))
    assert {serving, (("files", "client"), *serving)} <= chains
    assert {(*renewing, ("envoy", "server")), (("auth", "client"), *renewing, ("envoy", "server"))} <= chains
    stores = [one for one in spans if one["name"].startswith("store ")]
    assert {("files", "write"), ("auth", "read")} <= {
        (one["service"], one["attributes"]["db.operation.name"]) for one in stores
    }


@pytest.mark.parametrize(
    "verb, path, service, method",
    [
        ("POST", "/v1/session:extend", "auth", "AccountService/ExtendSession"),
        ("GET", "/v1/files", "files", "FileService/ListFiles"),
        ("GET", "/v1/charges", "billing", "PaymentService/ListCharges"),
        ("GET", "/v1/activity", "audit", "ActivityService/ListActivity"),
    ],
)
def test_every_service_continues_the_trace(live: Live, verb: str, path: str, service: str, method: str) -> None:
    person = newcomer(live)
    trace = _trace_of(person, person.http.request(verb, path, json=None if verb == "GET" else {}))
    spans = _whole(live, trace, (service, method))
    server = next(one for one in spans if one["name"].endswith(method))
    assert tuple(_chain(spans, server)) == ((service, "server"), ("envoy", "server"))


@pytest.mark.clause("P6", "P11", "ASVS 16.2.5", "PCI DSS 3.5.1")
def test_no_secret_is_in_any_log_or_span(live: Live) -> None:
    person = newcomer(live)
    stored = person.upload(NAME, MARKER.encode())
    path = f"/v1/files/{stored['fileId']}/content"
    first = person.http.get(path)
    assertion = first.headers["valv-assertion"]
    person.http.get(path, headers={"Valv-Assertion": assertion}).raise_for_status()
    person.http.post("/v1/session:signIn", json={"email": person.email, "password": "wrong " + person.password})
    add_card(person, CARD)
    Shopper(person).buy()
    last = person.http.post("/v1/session:signOut", json={})
    _whole(live, _logged_trace(live, last.headers["x-request-id"]), ("auth", "/SignOut"))
    mailed = person.mailed_token()
    assert _mentions(live.layout.data / "mail", *_spellings(person.email))  # the search finds what is there
    for before in (b"", b"x", b"xy"):
        assert any(one in base64.b64encode(before + MARKER.encode() + b"z") for one in _spellings(MARKER) - {b""})
    secrets = (person.password, person.token, assertion, mailed, CARD, MARKER, NAME, person.email)
    for secret in secrets:
        assert not _mentions(live.layout.logs, *_spellings(secret)), secret
    for secret in (person.password, person.token, assertion, CARD, MARKER, NAME):
        assert not _mentions(live.layout.data, *_spellings(secret)), secret


def _logged_trace(live: Live, request: str) -> str:
    lines = (json.loads(line) for line in live.log("auth").splitlines() if request in line)
    return next(str(line["trace_id"]) for line in lines)


def _mentions(folder: Path, *needles: bytes) -> list[str]:
    """Return the files in which one of the needles is."""
    contents = ((path, path.read_bytes()) for path in folder.rglob("*") if path.is_file())
    return [str(path) for path, content in contents if any(needle in content for needle in needles)]


def _spellings(secret: str) -> set[bytes]:
    """Return a text as it is, as hexadecimal, in a URL, and in base64 at each of its three positions."""
    raw = secret.encode()
    spelled = {raw, raw.hex().encode(), quote_plus(secret).encode(), json.dumps(secret)[1:-1].encode()}
    for shift in range(3):
        for alphabet in (None, b"-_"):
            text = base64.b64encode(b"\0" * shift + raw, alphabet)
            spelled.add(text[4 if shift else 0 : len(text) - 4])
    return spelled
