"""Bad input gets a clear refusal, changes nothing, echoes no secret, and is never a 5xx."""

from __future__ import annotations

import socket
import ssl

import httpx
import pytest

from tests.support.live import Live
from tests.support.person import PASSWORD, Person, newcomer

SECRET = "hunter2-hunter2-hunter2"


@pytest.fixture(scope="module")
def person(live: Live) -> Person:
    return newcomer(live)


def _refused(reply: httpx.Response, status: int, reason: str | None = None) -> None:
    assert reply.status_code == status, (reply.status_code, reply.text)
    body = reply.json()
    info = next(detail for detail in body["details"] if detail["@type"].endswith("ErrorInfo"))
    assert info["domain"] == "valv"
    assert info["metadata"]["requestId"] == reply.headers["x-request-id"]
    assert reason in (None, info["reason"]), info
    assert SECRET not in reply.text


CARD, REFUSED = "4242424242424242", "CARD_NUMBER_REFUSED"
SIGN_IN, SIGN_UP = "/v1/session:signIn", "/v1/account:signUp"
BAD = [
    ("wrong JSON", "POST", SIGN_IN, {"content": f'{{"password": "{SECRET}"'}, 400, None),
    ("JSON of another shape", "POST", SIGN_IN, {"content": f'["{SECRET}"]'}, 400, None),
    ("another type of field", "POST", SIGN_IN, {"json": {"email": {"x": SECRET}}}, 400, None),
    ("no body", "POST", SIGN_IN, {"content": ""}, None, None),
    ("another media type", "POST", SIGN_IN, {"content": "a=b", "headers": {"Content-Type": "text/plain"}}, 415, None),
    ("too large a body", "POST", SIGN_IN, {"json": {"email": "a@b.se", "password": SECRET * 10000}}, 413, None),
    ("unknown path", "GET", "/v1/nothing", {}, 404, None),
    ("unknown path outside the API", "GET", "/.git/config", {}, 404, None),
    ("another verb", "PUT", SIGN_IN, {"json": {}}, 404, None),
    ("unknown query parameter", "GET", "/v1/files?secret=" + SECRET, {}, 400, None),
    ("wrong credentials", "POST", SIGN_IN, {"json": {"email": "no@a.se", "password": SECRET}}, 401, "BAD_CREDENTIALS"),
    ("a short password", "POST", SIGN_UP, {"json": {"email": "a@example.com", "password": "short"}}, 400, None),
    ("no address", "POST", SIGN_UP, {"json": {"email": "nobody", "password": SECRET}}, 400, None),
    ("a card number as a name", "POST", f"/v1/files:upload?displayName={CARD}", {"content": b"x"}, 400, REFUSED),
    ("a card number as an id", "GET", f"/v1/files/{CARD}", {}, 400, REFUSED),
    ("somebody's file", "GET", "/v1/files/fil_01jd9xk8w0q2m3n4p5r6s7t8v9", {}, 404, None),
    ("no id", "GET", "/v1/files/x", {}, 404, None),
    ("somebody's receipt", "GET", "/v1/activity/evt_01jd9xk8w0q2m3n4p5r6s7t8v9/receipt", {}, 404, None),
    ("a wrong page token", "GET", "/v1/files?pageToken=nonsense", {}, 400, "INVALID_ARGUMENT"),
    ("a wrong page size", "GET", "/v1/files?pageSize=-1", {}, 400, "INVALID_ARGUMENT"),
    ("a wrong set-up", "POST", "/v1/cards", {"json": {"setupId": "stp_01jd9xk8w0q2m3n4p5r6s7t8v9"}}, 404, None),
    ("a tile outside the log", "GET", "/log/tile/0/x999/999", {}, 404, None),
    ("a path out of the log", "GET", "/log/tile/..%2f..%2fkeys", {}, None, None),
    ("a wrong confirmation", "POST", "/v1/account:confirmEmail", {"json": {"token": SECRET}}, 400, None),
]  # fmt: skip


@pytest.mark.clause("ASVS 16.5.1")
@pytest.mark.parametrize(
    "verb, path, options, status, reason", [case[1:] for case in BAD], ids=[case[0] for case in BAD]
)
def test_bad_input_is_refused(
    person: Person, verb: str, path: str, options: dict[str, object], status: int | None, reason: str | None
) -> None:
    if "content" in options and isinstance(options["content"], str):
        options = {"headers": {"Content-Type": "application/json"}, **options}
    reply = person.http.request(verb, path, **options)  # type: ignore[arg-type]  # the test hands over what types forbid, or a stand-in
    if status is None:
        assert 400 <= reply.status_code < 500, reply.text
    else:
        _refused(reply, status, reason)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Valv-Session": "vst_" + "a" * 43},
        {"Valv-Session": "x"},
        {"Valv-Assertion": "a.b.c"},
        {"Cookie": "__Host-valv_session=forged"},
        {"Cookie": "__Host-valv_assertion=a.b.c"},
        {"x-valv-assertion": "a.b.c"},
        {"X-Valv-Client-Address": "127.0.0.1"},
        {"Authorization": "Bearer x"},
    ],
)
def test_no_session_and_no_forged_one_gets_in(live: Live, person: Person, headers: dict[str, str]) -> None:
    stranger = Person(live)
    if "Cookie" in headers:  # what a browser's own page would send
        headers = {**headers, "Origin": live.address}
    for path in ("/v1/session", "/v1/files", "/v1/cards", "/v1/charges", "/v1/activity"):
        _refused(stranger.http.get(path, headers=headers), 401)
    _refused(stranger.http.post("/v1/files:upload?displayName=x", content=b"x", headers=headers), 401)


@pytest.mark.clause("ASVS 3.5.1")
def test_another_site_cannot_act_for_a_browser(live: Live, person: Person) -> None:
    browser = Person(live).http
    browser.post(SIGN_IN, json={"email": person.email, "password": PASSWORD}, headers={"Origin": live.address})
    assert browser.get("/v1/session").status_code == 200
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        _refused(browser.post("/v1/session:signOut", json={}, headers=headers), 403)
    assert browser.get("/v1/session").status_code == 200


def test_a_truncated_upload_leaves_nothing(live: Live, person: Person) -> None:
    context = ssl.create_default_context(cafile=str(live.layout.certificates / "browser" / "ca.pem"))
    before = person.get("/v1/files").get("usedBytes", "0")
    raw = socket.create_connection(("127.0.0.1", live.layout.ports.edge))
    with context.wrap_socket(raw, server_hostname="localhost") as connection:
        head = f"POST /v1/files:upload?displayName=half HTTP/1.1\r\nHost: localhost:{live.layout.ports.edge}\r\n"
        head += f"Valv-Session: {person.token}\r\nContent-Type: a/b\r\nContent-Length: 1000000\r\n\r\n"
        connection.sendall(head.encode() + b"x" * 500_000)
    assert "half" not in [file["displayName"] for file in person.get("/v1/files").get("files", [])]
    assert person.get("/v1/files").get("usedBytes", "0") == before


@pytest.mark.parametrize(
    "wanted, status",
    [
        ("bytes=5-", 416),
        ("bytes=9-1", 416),
        ("bytes=0-0", 206),
        ("bytes=-2", 206),
        ("chars=0-1", 200),
        ("bytes=x", 416),
    ],
)
def test_ranges_that_cannot_be(person: Person, wanted: str, status: int) -> None:
    stored = person.upload("range", b"12345")
    reply = person.http.get(f"/v1/files/{stored['fileId']}/content", headers={"Range": wanted})
    assert reply.status_code == status


def test_headers_no_client_may_send_are_refused(live: Live, person: Person) -> None:
    assert person.http.get("/v1/files", headers={"x_valv_assertion": "a"}).status_code == 400
    assert person.http.get("/v1/files", headers={"X-Long": "x" * 20000}).status_code == 431
