"""The edge as a client meets it: sessions, refusals, limits, pages. Real gateway, real Envoy, real mTLS behind them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from services.kit.faults import Code
from tests.integration.edge_stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")
SESSION, ASSERTION = "__Host-valv_session", "__Host-valv_assertion"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    stage = Stage(tmp_path_factory.mktemp("edge"))
    try:
        await stage.start()
        yield stage
    finally:
        await stage.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def stage(_stage: Stage) -> Stage:
    _stage.auth.renewals.clear()
    _stage.auth.seen.clear()
    return _stage


@pytest_asyncio.fixture(loop_scope="module")
async def client(stage: Stage) -> AsyncIterator[httpx.AsyncClient]:
    async with stage.client() as client:
        yield client


def refusal(response: httpx.Response, status: int, code: Code, reason: str, wait: str = "") -> dict[str, Any]:
    """Check that an answer is a whole google.rpc.Status with its request id, and how long to wait; return it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"].startswith("application/json")
    body: dict[str, Any] = response.json()
    assert body["code"] == code
    info = body["details"][0]
    assert info["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
    assert (info["reason"], info["domain"]) == (reason, "valv")
    assert info["metadata"]["requestId"] == response.headers["x-request-id"]
    assert response.headers.get("retry-after", "") == wait
    retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{wait}s"}
    assert body["details"][1:] == [retry] or not wait
    return body


def cookie(**values: str) -> dict[str, str]:
    return {"cookie": "; ".join(f"__Host-valv_{name}={value}" for name, value in values.items())}


@pytest.mark.clause("P7", "ASVS 7.2.1")
async def test_a_session_is_renewed_once_and_then_costs_no_python(stage: Stage, client: httpx.AsyncClient) -> None:
    sub, sid = stage.auth.open("tok-once")
    first = await client.post("/v1/session:extend", json={}, headers={"valv-session": "tok-once"})
    assert first.status_code == 200
    minted = {"valv-assertion": first.headers["valv-assertion"], "valv-session": "tok-once"}
    for _ in range(5):
        again = await client.post("/v1/session:extend", json={}, headers=minted)
        assert again.json()["session"] == {"sessionId": sid, "accountId": sub, "email": ""}
        assert "valv-assertion" not in again.headers
    assert stage.auth.renewals == [("tok-once", False)]


async def test_a_browser_gets_the_assertion_as_a_cookie_that_ends_early(
    stage: Stage, client: httpx.AsyncClient
) -> None:
    stage.auth.open("tok-browser")
    headers = {**cookie(session="tok-browser"), "origin": stage.origin, "sec-fetch-site": "same-origin"}
    response = await client.post("/v1/session:extend", json={}, headers=headers)
    assert response.status_code == 200
    minted = response.headers["set-cookie"]
    assert minted.startswith(f"{ASSERTION}=ey")
    assert minted.endswith("; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=28")
    headers |= cookie(session="tok-browser", assertion=minted.partition("=")[2].partition(";")[0])
    assert (await client.post("/v1/session:extend", json={}, headers=headers)).status_code == 200
    assert len(stage.auth.renewals) == 1


async def test_a_passive_route_does_not_hand_out_what_was_minted_without_activity(
    stage: Stage, client: httpx.AsyncClient
) -> None:
    stage.auth.open("tok-passive")
    response = await client.get("/v1/session", headers={"valv-session": "tok-passive"})
    assert response.status_code == 200
    assert "valv-assertion" not in response.headers
    assert "set-cookie" not in response.headers
    assert stage.auth.renewals == [("tok-passive", True)]


@pytest.mark.clause("P13", "ASVS 8.2.2")
async def test_what_a_client_claims_about_itself_is_stripped(stage: Stage, client: httpx.AsyncClient) -> None:
    forged = stage.auth.signer.assertion(stage.origin, stage.ids.new("usr"), stage.ids.new("ses"))
    refusal(
        await client.get("/v1/session", headers={"x-valv-assertion": forged}),
        401,
        Code.UNAUTHENTICATED,
        "UNAUTHENTICATED",
    )
    spoofed = {
        "X-Valv-Assertion": forged,
        "x-valv-client-address": "203.0.113.9",
        "x-forwarded-for": "203.0.113.9",
        "x-request-id": "mine",
        "traceparent": "00-11111111111111111111111111111111-2222222222222222-01",
        "valv-session": "unknown",
        "cookie": "theme=dark",
        "authorization": "Bearer x",
        "origin": stage.origin,
    }
    response = await client.post("/v1/session:signIn", json={"email": "a@example.com"}, headers=spoofed)
    assert response.status_code == 200
    seen = stage.auth.seen[-1].metadata
    assert seen["x-valv-client-address"] == "127.0.0.1"
    assert seen["x-request-id"] == response.headers["x-request-id"] != "mine"
    assert not seen["traceparent"].startswith("00-1111")
    assert not {"x-valv-assertion", "cookie", "authorization", "valv-session", "x-forwarded-for"} & set(seen)


@pytest.mark.clause("ASVS 7.2.4")
async def test_only_a_sign_in_is_told_what_the_browser_remembers(stage: Stage, client: httpx.AsyncClient) -> None:
    stage.auth.open("tok-before")
    remembered = cookie(session="tok-before", device="vdt_mine", assertion="x.y.z")
    browser = {**remembered, "origin": stage.origin, "x-valv-device": "spoofed", "x-valv-session": "spoofed"}
    program = {"valv-session": "tok-before", "x-valv-device": "spoofed"}
    told = []
    for headers in (browser, program, {"x-valv-session": "spoofed"}):
        response = await client.post("/v1/session:signIn", json={"email": "a@example.com"}, headers=headers)
        assert response.status_code == 200
        client.cookies.clear()
        seen = stage.auth.seen[-1].metadata
        told.append((seen.get("x-valv-session"), seen.get("x-valv-device")))
        assert "cookie" not in seen
    assert told == [("tok-before", "vdt_mine"), ("tok-before", None), (None, None)]
    for path in ("/v1/session:extend", "/v1/account:signUp"):
        await client.post(path, json={}, headers=browser)
        assert not {"x-valv-session", "x-valv-device", "cookie"} & set(stage.auth.seen[-1].metadata)


@pytest.mark.clause("ASVS 9.1.1", "ASVS 9.2.1")
async def test_forged_expired_and_foreign_assertions_are_refused(stage: Stage, client: httpx.AsyncClient) -> None:
    sub, sid = stage.auth.open("tok-forged")
    issue, other = stage.auth.signer.assertion, stage.signer("k1")
    wrong = [
        other.assertion(stage.origin, sub, sid),
        issue(stage.origin, sub, sid, age=40),
        issue("https://elsewhere.example", sub, sid),
        issue(stage.origin, sub, sid, aud="other"),
        issue(stage.origin, sub, sid, exp=4_102_444_800),
        issue(stage.origin, sub, None),
        issue(stage.origin, sub, ""),
        issue(stage.origin, sub, 5),
    ]
    for token in wrong:
        for headers in ({"valv-assertion": token}, cookie(assertion=token)):
            refusal(await client.get("/v1/session", headers=headers), 401, Code.UNAUTHENTICATED, "UNAUTHENTICATED")
    assert not stage.auth.seen


async def test_an_assertion_about_to_run_out_is_renewed_rather_than_passed_on(
    stage: Stage, client: httpx.AsyncClient
) -> None:
    sub, sid = stage.auth.open("tok-late")
    for age, renewals in ((20, 0), (29, 1)):
        late = stage.auth.signer.assertion(stage.origin, sub, sid, age=age)
        response = await client.get("/v1/session", headers={"valv-assertion": late, "valv-session": "tok-late"})
        assert response.status_code == 200
        assert len(stage.auth.renewals) == renewals
        assert (stage.auth.seen[-1].metadata["x-valv-assertion"] == late) is (renewals == 0)


async def test_of_two_assertions_the_verified_one_goes_on(stage: Stage, client: httpx.AsyncClient) -> None:
    sub, sid = stage.auth.open("tok-two")
    good = stage.auth.signer.assertion(stage.origin, sub, sid)
    bad = stage.signer("k1").assertion(stage.origin, stage.ids.new("usr"), stage.ids.new("ses"))
    for header, in_cookie in ((good, bad), (bad, good)):
        response = await client.get("/v1/session", headers={"valv-assertion": header, **cookie(assertion=in_cookie)})
        assert response.json()["session"]["accountId"] == sub
        assert stage.auth.seen[-1].metadata["x-valv-assertion"] == good
    twice = [("valv-assertion", bad), ("valv-assertion", good)]
    stage.auth.seen.clear()
    for both in (twice, twice[::-1]):
        refusal(await client.get("/v1/session", headers=both), 401, Code.UNAUTHENTICATED, "UNAUTHENTICATED")
    joined = {"valv-assertion": f"{bad},{good}"}
    refusal(await client.get("/v1/session", headers=joined), 400, Code.INVALID_ARGUMENT, "MALFORMED_REQUEST")
    assert not stage.auth.seen
    assert not stage.auth.renewals


async def test_two_different_sessions_are_refused(stage: Stage, client: httpx.AsyncClient) -> None:
    stage.auth.open("tok-left")
    headers = {"valv-session": "tok-left", **cookie(session="tok-right")}
    refusal(await client.get("/v1/session", headers=headers), 400, Code.INVALID_ARGUMENT, "AMBIGUOUS_SESSION")


@pytest.mark.clause("P8")
async def test_an_ended_session_is_told_so_and_forgotten(client: httpx.AsyncClient) -> None:
    response = await client.get("/v1/session", headers=cookie(session="ended"))
    refusal(response, 401, Code.UNAUTHENTICATED, "SESSION_ENDED")
    gone = response.headers.get_list("set-cookie")
    assert [one.partition(";")[0] for one in gone] == [f"{SESSION}=", f"{ASSERTION}="]
    assert all("Max-Age=0" in one for one in gone)


async def test_signing_in_clears_what_was_asserted_before(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/session:signIn", json={"email": "a@example.com"})
    names = [one.partition("=")[0] for one in response.headers.get_list("set-cookie")]
    assert names == [SESSION, ASSERTION]


@pytest.mark.clause("ASVS 4.1.4", "ASVS 13.4.5")
async def test_what_no_policy_routes_is_not_there(stage: Stage, client: httpx.AsyncClient) -> None:
    stage.auth.open("tok-lost")
    lost = [
        ("GET", "/v1/nothing"),
        ("GET", "/v1/session:signIn"),
        ("PATCH", "/v1/session"),
        ("TRACE", "/v1/session"),
        ("GET", "/log/other"),
        ("POST", "/valv.auth.v1.SessionService/Renew"),
        ("POST", "/valv.auth.v1.AccountService/SignIn"),
        ("POST", "/valv.audit.v1.AppendService/Append"),
        ("POST", "/envoy.service.auth.v3.Authorization/Check"),
        ("GET", "/v1/files/a:b"),
        ("GET", "/no-such-page"),
    ]
    for method, path in lost:
        response = await client.request(method, path, headers={"valv-session": "tok-lost"})
        refusal(response, 404, Code.NOT_FOUND, "ROUTE_NOT_FOUND")
    elsewhere = await client.get("/v1/practices", headers={"host": "evil.example"})
    refusal(elsewhere, 404, Code.NOT_FOUND, "ROUTE_NOT_FOUND")


async def test_the_public_edge_speaks_no_grpc(stage: Stage, client: httpx.AsyncClient) -> None:
    stage.auth.open("tok-grpc")
    for kind in ("application/grpc", "application/grpc+proto", "application/grpc-web", "application/GRPC"):
        headers = {"content-type": kind, "te": "trailers", "valv-session": "tok-grpc"}
        for path in ("/valv.auth.v1.SessionService/Renew", "/v1/session:signIn", "/v1/session:extend", "/v1/nothing"):
            response = await client.post(path, headers=headers)
            assert response.status_code == 415 or response.headers["grpc-status"] not in ("", "0")
    assert not stage.auth.seen
    assert not stage.auth.renewals


async def test_malformed_requests_are_refused(client: httpx.AsyncClient) -> None:
    refusal(await client.get("/v1/practices?unknown=1"), 400, Code.INVALID_ARGUMENT, "MALFORMED_REQUEST")
    broken = await client.post("/v1/session:signIn", content=b"{", headers={"content-type": "application/json"})
    refusal(broken, 400, Code.INVALID_ARGUMENT, "MALFORMED_REQUEST")
    underscores = await client.get("/v1/practices", headers={"x_valv_assertion": "x"})
    assert underscores.status_code == 400
    slash = await client.get("/v1/files%2Fa")
    assert slash.status_code == 400
    assert slash.json()["details"][0]["reason"] == "MALFORMED_REQUEST"


async def test_other_media_types_are_refused(client: httpx.AsyncClient) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx"):
        response = await client.post("/v1/session:signIn", content=b"{}", headers={"content-type": kind})
        refusal(response, 415, Code.INVALID_ARGUMENT, "MEDIA_TYPE_REFUSED")
    charset = {"content-type": "application/json; charset=utf-8"}
    assert (await client.post("/v1/account:signUp", content=b"{}", headers=charset)).status_code == 200


async def test_large_bodies_are_refused(stage: Stage, client: httpx.AsyncClient) -> None:
    stage.auth.open("tok-large")
    headers = {"valv-session": "tok-large", "content-type": "application/json"}
    whole = await client.post("/v1/session:extend", content=b" " * 70_000, headers=headers)
    refusal(whole, 413, Code.INVALID_ARGUMENT, "BODY_TOO_LARGE")

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 10_000

    chunked = await client.post("/v1/session:extend", content=pieces(), headers=headers)
    refusal(chunked, 413, Code.INVALID_ARGUMENT, "BODY_TOO_LARGE")
    header = await client.get("/v1/practices", headers={"x-large": "x" * 20_000})
    assert header.status_code == 431
    assert header.json()["details"][0]["reason"] == "HEADERS_TOO_LARGE"


@pytest.mark.clause("ASVS 3.5.1", "ASVS 3.5.3")
async def test_pages_of_other_origins_may_not_act(stage: Stage, client: httpx.AsyncClient) -> None:
    stage.auth.open("tok-csrf")
    session = cookie(session="tok-csrf")
    foreign = [
        {**session, "origin": "https://evil.example"},
        {**session, "origin": "null"},
        {**session, "origin": stage.origin, "sec-fetch-site": "cross-site"},
        {**session, "origin": stage.origin, "sec-fetch-site": "same-site"},
        session,
        {"origin": "https://evil.example", "valv-session": "tok-csrf"},
    ]
    for headers in foreign:
        response = await client.post("/v1/session:extend", json={}, headers=headers)
        refusal(response, 403, Code.PERMISSION_DENIED, "CROSS_ORIGIN")
    read = await client.get("/v1/session", headers={**session, "sec-fetch-site": "cross-site"})
    refusal(read, 403, Code.PERMISSION_DENIED, "CROSS_ORIGIN")
    assert not stage.auth.seen
    own = {**session, "origin": stage.origin, "sec-fetch-site": "same-origin"}
    assert (await client.post("/v1/session:extend", json={}, headers=own)).status_code == 200
    public = await client.get(
        "/v1/practices", headers={"sec-fetch-site": "cross-site", "origin": "https://evil.example"}
    )
    assert public.status_code == 200


async def test_file_bytes_travel_as_http_with_the_verified_assertion(stage: Stage, client: httpx.AsyncClient) -> None:
    sub, sid = stage.auth.open("tok-bytes")
    token = stage.auth.signer.assertion(stage.origin, sub, sid)
    headers = {"valv-assertion": token, "content-type": "image/png", "cookie": "a=b"}
    big = b"x" * 3_000_000
    response = await client.post(
        "/v1/files:upload", params={"displayName": "å.png"}, content=big, headers={**headers, "origin": stage.origin}
    )
    assert response.status_code == 201
    told = response.json()
    assert told["size"] == len(big)
    assert told["path"] == "/v1/files:upload?displayName=%C3%A5.png"
    assert told["headers"]["x-valv-assertion"] == token
    assert not {"cookie", "valv-assertion", "valv-session"} & set(told["headers"])
    ranged = await client.get("/v1/files/fil_x/content", headers={**headers, "range": "bytes=0-4"})
    assert ranged.json()["headers"]["range"] == "bytes=0-4"
    assert (await client.head("/v1/files/fil_x/content", headers=headers)).status_code == 201
    no_session = await client.post("/v1/files:upload", content=b"x", headers={"content-type": "image/png"})
    refusal(no_session, 401, Code.UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_errors_of_services_keep_their_form(stage: Stage, client: httpx.AsyncClient) -> None:
    stage.auth.open("tok-error")
    response = await client.get("/v1/files/fil_none", headers={"valv-session": "tok-error"})
    refusal(response, 404, Code.NOT_FOUND, "NOT_FOUND")
    leaked = [name for name in response.headers if name.startswith(("grpc-", "x-envoy-", "x-valv-"))]
    assert leaked == []


async def test_what_is_away_or_overloaded_says_when_to_come_back(stage: Stage, client: httpx.AsyncClient) -> None:
    stage.auth.open("tok-away")
    away = await client.get("/v1/cards", headers={"valv-session": "tok-away"})
    busy = await client.post("/v1/session:signIn", json={"email": "crowd@example.com"})
    for response, reason, seconds in ((away, "UNAVAILABLE", "1"), (busy, "OVERLOADED", "7")):
        refusal(response, 503, Code.UNAVAILABLE, reason, seconds)


@pytest.mark.clause("ASVS 3.4.1", "ASVS 3.4.3", "ASVS 3.4.4", "ASVS 3.4.5")
async def test_every_answer_carries_security_headers(client: httpx.AsyncClient) -> None:
    for path in ("/", "/v1/practices", "/v1/session", "/no-such", "/assets/index-abc.js"):
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "strict-transport-security" not in headers  # this edge is localhost
        assert headers["server"] == "valv"
        assert not [name for name in headers if name.startswith("x-envoy")]


async def test_pages_and_assets_are_served_by_envoy_alone(stage: Stage, client: httpx.AsyncClient) -> None:
    for path in ("/", "/files", "/security"):
        page = await client.get(path, headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"})
        assert page.status_code == 200
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.headers["cache-control"] == "no-cache"
        policy = page.headers["content-security-policy"]
        assert "require-trusted-types-for 'script'" in policy
        assert "cards.example" not in policy
    cards = await client.get("/cards")
    assert "script-src 'self' https://cards.example" in cards.headers["content-security-policy"]
    assert "frame-src https://cards.example" in cards.headers["content-security-policy"]
    script = await client.get("/assets/index-abc.js")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert script.headers["content-encoding"] == "gzip"
    assert (await client.head("/assets/index-abc.js")).content == b""
    described = (await client.get("/openapi.json")).json()
    assert described["openapi"] == "3.1.0"
    assert "/v1/session:signIn" in described["paths"]
    assert not stage.auth.renewals


@pytest.mark.clause("ASVS 2.4.1", "ASVS 6.3.1")
async def test_too_many_are_told_when_to_come_back(stage: Stage, client: httpx.AsyncClient) -> None:
    answers = [await client.post("/v1/session:signIn", json={}) for _ in range(40)]
    limited = [answer for answer in answers if answer.status_code == 429]
    assert limited
    refusal(limited[0], 429, Code.RESOURCE_EXHAUSTED, "RATE_LIMITED", "1")
    other_class = await client.get("/v1/practices", headers={"x-forwarded-for": "203.0.113.7"})
    assert other_class.status_code == 200
    await asyncio.sleep(2)
