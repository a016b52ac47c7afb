"""Owns the renewal of edge sessions: an opaque token comes in, a fresh assertion goes on. Must never keep either.

Asked by Envoy (ext_authz) only when no valid assertion came. A passive route's assertion is not given to the client:
it was minted without counting as activity, and must not spare a later request from counting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import grpc
from envoy.config.core.v3 import base_pb2
from envoy.service.auth.v3 import external_auth_pb2

from services.gateway.errors import AMBIGUOUS_SESSION, SESSION_ENDED, UNAUTHENTICATED, UNAVAILABLE
from services.gateway.xds.names import ASSERTION, ASSERTION_COOKIE, ASSERTION_HEADER, SESSION_COOKIE, SESSION_HEADER
from services.kit.clients import reason_of
from services.kit.faults import Fault
from services.kit.status import http_status, json_body
from valv.auth.v1 import session_pb2, session_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

COOKIE_ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Strict"
EARLY_SECONDS = 2
"""A browser forgets an assertion this much before it runs out, so that none runs out on its way."""
RENEW_SECONDS = 5.0
_ENDED = {reason.name: reason for reason in (UNAUTHENTICATED, SESSION_ENDED)}


@dataclass(frozen=True)
class Renewed:
    """A fresh assertion of a session, valid for ``lifetime`` seconds."""

    assertion: str
    session: str
    lifetime: float


class Sessions(Protocol):
    """What renews sessions: auth."""

    async def renew(self, token: str, *, passive: bool) -> Renewed:
        """Renew; raises Fault UNAUTHENTICATED, SESSION_ENDED or UNAVAILABLE."""
        ...


class AuthSessions:
    """Sessions as the auth service knows them."""

    def __init__(self, channel: grpc.aio.Channel, failed: Callable[[str], None]) -> None:
        """Take the channel to auth, and what is told the status when auth does not say."""
        self._stub, self._failed = session_pb2_grpc.SessionServiceStub(channel), failed

    async def renew(self, token: str, *, passive: bool) -> Renewed:
        """Exchange an opaque token for an assertion.

        Raises:
            Fault: UNAUTHENTICATED or SESSION_ENDED as auth says; UNAVAILABLE when it does not say.
        """
        request = session_pb2.RenewRequest(session_token=token, passive=passive)
        try:
            reply = await self._stub.Renew(request, timeout=RENEW_SECONDS)
        except grpc.aio.AioRpcError as error:
            ended = _ENDED.get(reason_of(error))
            if ended is not None:
                raise Fault(ended) from None
            self._failed(error.code().name)
            raise Fault(UNAVAILABLE, retry_after=1) from None
        return Renewed(reply.assertion, reply.session_id, reply.lifetime.ToTimedelta().total_seconds())


class Authorizer:
    """Answers Envoy's question: whose request is this, and may it go on?"""

    def __init__(self, sessions: Sessions) -> None:
        """Take what renews sessions."""
        self._sessions = sessions

    async def check(self, request: external_auth_pb2.CheckRequest) -> external_auth_pb2.CheckResponse:
        """Return Envoy's orders: go on with an assertion, or a refusal in the form of every error."""
        headers = request.attributes.request.http.headers
        passive = request.attributes.context_extensions.get("passive") == "true"
        cookies = _cookies(headers.get("cookie", ""))
        try:
            token = _token(headers, cookies)
            renewed = await self._sessions.renew(token, passive=passive)
        except Fault as fault:
            return refused(fault, headers.get("x-request-id", ""), cookies=bool(cookies))
        by_cookie = SESSION_HEADER not in headers
        return _admitted(renewed, by_cookie=by_cookie, passive=passive)


def refused(fault: Fault, request_id: str, *, cookies: bool) -> external_auth_pb2.CheckResponse:
    """Return a refusal; a browser whose session has ended forgets its cookies."""
    status = http_status(fault.reason.code)
    response = external_auth_pb2.CheckResponse()
    response.status.code = int(fault.reason.code)
    denied = response.denied_response
    denied.status.code = status
    denied.body = json_body(fault, request_id).decode()
    denied.headers.append(_header("content-type", "application/json"))
    if fault.retry_after is not None:
        denied.headers.append(_header("retry-after", "1"))
    if cookies and fault.reason in _ENDED.values():
        for name in (SESSION_COOKIE, ASSERTION_COOKIE):
            denied.headers.append(_added("set-cookie", f"{name}=; {COOKIE_ATTRIBUTES}; Max-Age=0"))
    return response


def _admitted(renewed: Renewed, *, by_cookie: bool, passive: bool) -> external_auth_pb2.CheckResponse:
    response = external_auth_pb2.CheckResponse()
    ok = response.ok_response
    ok.headers.append(_header(ASSERTION, renewed.assertion))
    response.dynamic_metadata["sid"] = renewed.session
    if passive:
        return response
    if by_cookie:
        age = max(1, int(renewed.lifetime) - EARLY_SECONDS)
        cookie = f"{ASSERTION_COOKIE}={renewed.assertion}; {COOKIE_ATTRIBUTES}; Max-Age={age}"
        ok.response_headers_to_add.append(_added("set-cookie", cookie))
    else:
        ok.response_headers_to_add.append(_header(ASSERTION_HEADER, renewed.assertion))
    return response


def _token(headers: Mapping[str, str], cookies: list[tuple[str, str]]) -> str:
    """Return the one session token.

    Raises:
        Fault: UNAUTHENTICATED when there is none, AMBIGUOUS_SESSION when there are two.
    """
    found = {value for name, value in cookies if name == SESSION_COOKIE and value}
    if headers.get(SESSION_HEADER):
        found.add(headers[SESSION_HEADER])
    if not found:
        raise Fault(UNAUTHENTICATED)
    if len(found) > 1:
        raise Fault(AMBIGUOUS_SESSION)
    return found.pop()


def _cookies(header: str) -> list[tuple[str, str]]:
    pairs = (part.strip().partition("=") for part in header.split(";"))
    return [(name, value.strip('"')) for name, equals, value in pairs if equals]


def _header(name: str, value: str) -> base_pb2.HeaderValueOption:
    return _option(name, value, base_pb2.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD)


def _added(name: str, value: str) -> base_pb2.HeaderValueOption:
    return _option(name, value, base_pb2.HeaderValueOption.APPEND_IF_EXISTS_OR_ADD)


def _option(name: str, value: str, action: int) -> base_pb2.HeaderValueOption:
    return base_pb2.HeaderValueOption(header=base_pb2.HeaderValue(key=name, value=value), append_action=action)
