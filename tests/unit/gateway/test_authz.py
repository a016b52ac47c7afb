"""Renewal at the edge: one token in, one assertion on, nothing kept."""

from __future__ import annotations

import json

import pytest
from envoy.service.auth.v3 import external_auth_pb2

from services.gateway.authz import Authorizer, Renewed
from services.gateway.errors import SESSION_ENDED, UNAUTHENTICATED, UNAVAILABLE
from services.kit.faults import Fault, Reason


class Sessions:
    """Knows one token."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bool]] = []
        self.fault: Reason | None = None

    async def renew(self, token: str, *, passive: bool) -> Renewed:
        self.asked.append((token, passive))
        if self.fault is not None:
            raise Fault(self.fault, retry_after=1 if self.fault is UNAVAILABLE else None)
        if token != "good":
            raise Fault(UNAUTHENTICATED)
        return Renewed("a.b.c", "ses_1", 30.0)


@pytest.fixture
def sessions() -> Sessions:
    return Sessions()


def request(passive: str = "false", **headers: str) -> external_auth_pb2.CheckRequest:
    made = external_auth_pb2.CheckRequest()
    made.attributes.context_extensions["passive"] = passive
    for name, value in {"x-request-id": "r-1", **headers}.items():
        made.attributes.request.http.headers[name.replace("_", "-")] = value
    return made


def added(response: external_auth_pb2.CheckResponse) -> dict[str, str]:
    return {one.header.key: one.header.value for one in response.ok_response.response_headers_to_add}


async def test_a_cookie_gets_a_cookie_that_ends_before_the_assertion_does(sessions: Sessions) -> None:
    response = await Authorizer(sessions).check(request(cookie="a=1; __Host-valv_session=good"))
    (set_upstream,) = response.ok_response.headers
    assert (set_upstream.header.key, set_upstream.header.value) == ("x-valv-assertion", "a.b.c")
    assert response.dynamic_metadata["sid"] == "ses_1"
    expected = "__Host-valv_assertion=a.b.c; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=28"
    assert added(response) == {"set-cookie": expected}


async def test_a_header_gets_a_header(sessions: Sessions) -> None:
    response = await Authorizer(sessions).check(request(valv_session="good"))
    assert added(response) == {"valv-assertion": "a.b.c"}


async def test_a_passive_route_is_passed_on_and_hands_nothing_out(sessions: Sessions) -> None:
    response = await Authorizer(sessions).check(request("true", valv_session="good"))
    assert sessions.asked == [("good", True)]
    assert len(response.ok_response.headers) == 1
    assert added(response) == {}


@pytest.mark.parametrize(
    "headers,status,reason",
    [
        ({}, 401, "UNAUTHENTICATED"),
        ({"valv_session": "bad"}, 401, "UNAUTHENTICATED"),
        ({"cookie": "__Host-valv_session="}, 401, "UNAUTHENTICATED"),
        ({"cookie": "valv_session=good"}, 401, "UNAUTHENTICATED"),
        ({"cookie": "__Host-valv_session=good", "valv_session": "other"}, 400, "AMBIGUOUS_SESSION"),
        ({"cookie": "__Host-valv_session=good; __Host-valv_session=other"}, 400, "AMBIGUOUS_SESSION"),
    ],
)
async def test_refusals_are_whole_errors(sessions: Sessions, headers: dict[str, str], status: int, reason: str) -> None:
    response = await Authorizer(sessions).check(request(**headers))
    assert not response.HasField("ok_response")
    assert response.status.code != 0
    assert response.denied_response.status.code == status
    (info,) = json.loads(response.denied_response.body)["details"]
    assert (info["reason"], info["metadata"]) == (reason, {"requestId": "r-1"})


async def test_the_same_session_twice_is_one(sessions: Sessions) -> None:
    headers = {"cookie": "__Host-valv_session=good", "valv_session": "good"}
    assert (await Authorizer(sessions).check(request(**headers))).HasField("ok_response")


@pytest.mark.clause("P8")
async def test_a_browser_forgets_an_ended_session(sessions: Sessions) -> None:
    sessions.fault = SESSION_ENDED
    response = await Authorizer(sessions).check(request(cookie="__Host-valv_session=good"))
    gone = [one.header.value for one in response.denied_response.headers if one.header.key == "set-cookie"]
    assert [one.partition("=")[0] for one in gone] == ["__Host-valv_session", "__Host-valv_assertion"]
    assert all(one.endswith("Max-Age=0") for one in gone)


async def test_auth_being_away_ends_no_session(sessions: Sessions) -> None:
    sessions.fault = UNAVAILABLE
    response = await Authorizer(sessions).check(request(cookie="__Host-valv_session=good"))
    assert response.denied_response.status.code == 503
    sent = {one.header.key: one.header.value for one in response.denied_response.headers}
    assert sent == {"content-type": "application/json", "retry-after": "1"}
