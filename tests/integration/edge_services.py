"""Small real services behind the edge: auth, audit and files, with what the tests ask them to do."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web
from google.api import httpbody_pb2
from joserfc import jws, jwt
from joserfc.jwk import OKPKey

from services.kit.call import Call
from services.kit.checks import CHECK_ACTION
from services.kit.faults import NOT_FOUND, OVERLOADED, SESSION_ENDED, UNAUTHENTICATED, Fault
from services.kit.ids import Ids
from valv.audit.v1 import append_pb2, event_pb2, log_pb2, practices_pb2
from valv.auth.v1 import account_pb2, session_pb2
from valv.files.v1 import file_pb2

LIFETIME = 30


class _EdDSA(jws.JWSRegistry):
    def get_alg(self, name: str) -> Any:
        return self.algorithms[name]


class Signer:
    """Signs assertions as auth does."""

    def __init__(self, kid: str) -> None:
        self.key = OKPKey.generate_key("Ed25519", {"kid": kid, "use": "sig", "alg": "EdDSA"})
        self.kid = kid

    @property
    def jwks(self) -> str:
        return json.dumps({"keys": [self.key.as_dict(private=False)]})

    def assertion(self, issuer: str, sub: str, sid: object, *, age: int = 0, **claims: Any) -> str:
        now = int(time.time()) - age
        body = {"iss": issuer, "aud": "valv", "sub": sub, "iat": now, "exp": now + LIFETIME}
        body |= {"ends": float(now + 1800), "auth_time": now, "amr": ["pwd"], **claims}
        body |= {} if sid is None else {"sid": sid}
        header = {"alg": "EdDSA", "typ": "JWT", "kid": self.kid}
        return jwt.encode(header, body, self.key, registry=_EdDSA(algorithms=["EdDSA"]))


class Auth:
    """SessionService, WatchService and AccountService, as far as the edge needs them."""

    def __init__(self, issuer: str, ids: Ids) -> None:
        self.issuer, self.ids = issuer, ids
        self.signer = Signer("k1")
        self.sessions: dict[str, tuple[str, str]] = {}
        self.renewals: list[tuple[str, bool]] = []
        self.seen: list[Call] = []
        self.keys_changed = asyncio.Event()

    def open(self, token: str) -> tuple[str, str]:
        self.sessions[token] = (self.ids.new("usr"), self.ids.new("ses"))
        return self.sessions[token]

    async def renew(self, request: session_pb2.RenewRequest, _call: Call) -> session_pb2.RenewResponse:
        self.renewals.append((request.session_token, request.passive))
        if request.session_token not in self.sessions:
            raise Fault(SESSION_ENDED if request.session_token == "ended" else UNAUTHENTICATED)
        sub, sid = self.sessions[request.session_token]
        reply = session_pb2.RenewResponse(assertion=self.signer.assertion(self.issuer, sub, sid), session_id=sid)
        reply.lifetime.FromSeconds(LIFETIME)
        return reply

    async def check(self, request: session_pb2.CheckRequest, _call: Call) -> session_pb2.CheckResponse:
        raise Fault(UNAUTHENTICATED)

    async def watch(self, request: session_pb2.WatchRequest, _call: Call) -> AsyncIterator[session_pb2.WatchResponse]:
        number, sent = 0, ""
        while True:
            number += 1
            if sent != self.signer.jwks:
                sent = self.signer.jwks
                yield session_pb2.WatchResponse(sequence=number, keys=session_pb2.KeySet(jwks=sent))
            yield session_pb2.WatchResponse(sequence=number, heartbeat=session_pb2.Heartbeat())
            await asyncio.sleep(0.1)

    async def sign_up(self, request: account_pb2.SignUpRequest, call: Call) -> account_pb2.SignUpResponse:
        self.seen.append(call)
        return account_pb2.SignUpResponse()

    async def confirm_email(
        self, request: account_pb2.ConfirmEmailRequest, call: Call
    ) -> account_pb2.ConfirmEmailResponse:
        self.seen.append(call)
        return account_pb2.ConfirmEmailResponse()

    async def sign_in(self, request: account_pb2.SignInRequest, call: Call) -> account_pb2.SignInResponse:
        self.seen.append(call)
        if request.email == "crowd@example.com":
            raise Fault(OVERLOADED, retry_after=6.5)
        call.reply_metadata.append(("set-cookie", "__Host-valv_session=new; Path=/; Secure; HttpOnly"))
        return account_pb2.SignInResponse(session=account_pb2.Session(email=request.email))

    async def begin_passkey_sign_in(
        self, request: account_pb2.BeginPasskeySignInRequest, call: Call
    ) -> account_pb2.BeginPasskeySignInResponse:
        self.seen.append(call)
        return account_pb2.BeginPasskeySignInResponse()

    async def continue_sign_in(
        self, request: account_pb2.ContinueSignInRequest, call: Call
    ) -> account_pb2.ContinueSignInResponse:
        self.seen.append(call)
        return account_pb2.ContinueSignInResponse()

    async def reauthenticate(
        self, request: account_pb2.ReauthenticateRequest, call: Call
    ) -> account_pb2.ReauthenticateResponse:
        self.seen.append(call)
        return account_pb2.ReauthenticateResponse()

    async def sign_out(self, request: account_pb2.SignOutRequest, call: Call) -> account_pb2.SignOutResponse:
        self.seen.append(call)
        return account_pb2.SignOutResponse()

    async def get_session(self, request: account_pb2.GetSessionRequest, call: Call) -> account_pb2.GetSessionResponse:
        self.seen.append(call)
        return account_pb2.GetSessionResponse(
            session=account_pb2.Session(session_id=call.session, account_id=call.customer)
        )

    async def extend_session(
        self, request: account_pb2.ExtendSessionRequest, call: Call
    ) -> account_pb2.ExtendSessionResponse:
        self.seen.append(call)
        return account_pb2.ExtendSessionResponse(
            session=account_pb2.Session(session_id=call.session, account_id=call.customer)
        )


class Audit:
    """AppendService, LogService and PracticesService."""

    def __init__(self) -> None:
        self.events: list[event_pb2.Event] = []
        self.found: dict[str, event_pb2.Details] = {}
        self.asked: set[str] = set()
        self.holds_requests = True
        self.epochs: list[tuple[str, str, int]] = []
        self.head = ("epo_before", 7)

    async def append(self, request: append_pb2.AppendRequest, call: Call) -> append_pb2.AppendResponse:
        assert call.peer.role == "gateway"
        epoch, held = self.head
        held = held if epoch == request.epoch else 0
        last = request.first_number + len(request.events) - 1
        events = [event_pb2.Event.FromString(event) for event in request.events[held + 1 - request.first_number :]]
        self.head = (request.epoch, max(held, last))
        self.found |= {event.object.id: event.details for event in events if event.action == CHECK_ACTION}
        told = [event for event in events if event.action != CHECK_ACTION]  # live checks come when they like
        self.events += told
        if told:
            self.epochs.append((request.epoch, request.predecessor, request.first_number))
        return append_pb2.AppendResponse(highest_number=self.head[1])

    async def get_head(self, request: append_pb2.GetHeadRequest, _call: Call) -> append_pb2.GetHeadResponse:
        return append_pb2.GetHeadResponse(epoch=self.head[0], highest_number=self.head[1])

    async def find_unrecorded(
        self, request: append_pb2.FindUnrecordedRequest, call: Call
    ) -> append_pb2.FindUnrecordedResponse:
        assert call.peer.role == "gateway"
        self.asked |= set(request.request_ids)
        return append_pb2.FindUnrecordedResponse(request_ids=() if self.holds_requests else request.request_ids)

    async def get_checkpoint(self, request: log_pb2.GetCheckpointRequest, _call: Call) -> httpbody_pb2.HttpBody:
        return httpbody_pb2.HttpBody(content_type="text/plain", data=b"checkpoint")

    async def get_tile(self, request: log_pb2.GetTileRequest, _call: Call) -> httpbody_pb2.HttpBody:
        return httpbody_pb2.HttpBody(content_type="application/octet-stream", data=request.path.encode())

    async def get_minimum_index(self, request: log_pb2.GetMinimumIndexRequest, _call: Call) -> httpbody_pb2.HttpBody:
        return httpbody_pb2.HttpBody(content_type="text/plain", data=b"0\n")

    async def get_key(self, request: log_pb2.GetKeyRequest, _call: Call) -> httpbody_pb2.HttpBody:
        return httpbody_pb2.HttpBody(content_type="text/plain", data=b"key")

    async def list_practices(
        self, request: practices_pb2.ListPracticesRequest, _call: Call
    ) -> practices_pb2.ListPracticesResponse:
        return practices_pb2.ListPracticesResponse(practices=[practices_pb2.Practice(promise="P1")])

    async def get_evidence(self, request: practices_pb2.GetEvidenceRequest, _call: Call) -> httpbody_pb2.HttpBody:
        return httpbody_pb2.HttpBody(content_type="text/plain", data=request.check.encode())


class Files:
    """FileService, and a data plane that tells what it was sent."""

    async def list_files(self, request: file_pb2.ListFilesRequest, _call: Call) -> file_pb2.ListFilesResponse:
        return file_pb2.ListFilesResponse(used_bytes=1 << 40, next_page_token=str(request.page_size))

    async def get_file(self, request: file_pb2.GetFileRequest, _call: Call) -> file_pb2.GetFileResponse:
        raise Fault(NOT_FOUND)

    async def delete_file(self, request: file_pb2.DeleteFileRequest, _call: Call) -> file_pb2.DeleteFileResponse:
        return file_pb2.DeleteFileResponse()

    async def content(self, request: web.Request) -> web.StreamResponse:
        size = 0
        async for chunk in request.content.iter_any():
            size += len(chunk)
        headers = {name.lower(): value for name, value in request.headers.items()}
        return web.json_response({"headers": headers, "size": size, "path": request.path_qs}, status=201)
