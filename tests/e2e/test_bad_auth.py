"""Whatever bad is asked of auth, by whomever: a documented reason, nothing echoed, and nothing changes.

Every method of its contracts is tried, with requests made from the contracts themselves (tests/support/bad_calls.py).
"""

from __future__ import annotations

import itertools
import pkgutil
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from google.protobuf.message import Message

import services.auth
from deploy.cli.certs import DOMAIN, issue_operator
from services.auth import assertions
from services.gateway import contracts
from services.kit import faults
from services.kit.clients import reason_of
from services.kit.clock import SystemClock
from services.kit.faults import Reason
from services.kit.policy import Method, Subject
from tests.support.assertions import Signer
from tests.support.bad_calls import Bad, bad_calls, of_another, plausible
from tests.support.live import Live
from tests.support.person import Person, eventually, newcomer

METHODS = [method for method in contracts.methods() if method.service.startswith("valv.auth.")]
CUSTOMERS = [method for method in METHODS if method.policy.subject is Subject.CUSTOMER]
UNCHANGED_BUT = {"outbox", "outbox_state", "counters", "alembic_version"}
"""What a refusal is recorded and counted in."""
OURS = {"INTERNAL", "UNAVAILABLE", "DEADLINE_EXCEEDED", "AUDIT_UNAVAILABLE", "REVOCATION_UNKNOWN", "OVERLOADED"}
"""Reasons that would say that something is wrong with us."""
_ADDRESSES = (f"10.{one >> 16 & 255}.{one >> 8 & 255}.{one & 255}" for one in itertools.count(1))
Tables = dict[str, frozenset[tuple[object, ...]]]


def documented() -> frozenset[str]:
    """Return the names of the reasons that auth and the kit have words for."""
    rooms = [name for _, name, _ in pkgutil.walk_packages(services.auth.__path__, "services.auth.")]
    modules = [faults, *(import_module(name) for name in rooms if name.endswith(".errors"))]
    return frozenset(one.name for module in modules for one in vars(module).values() if isinstance(one, Reason))


class Auth:
    """Auth's own port, its databases, and assertions under its own key."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.person, self.other = newcomer(live), newcomer(live)
        self._channels: dict[str, grpc.Channel] = {}
        self.signer = Signer(SystemClock())
        self.signer.key = assertions.load(live.layout.keys / "auth-signing.jwk")[0]
        self.signer.kid = self.signer.key.thumbprint()
        eventually(lambda: True if not self.tables()["mails"] else None)

    def claims(self, person: Person, **changed: object) -> dict[str, object]:
        """Return the claims of a person's session, as good as auth's own."""
        session = person.get("/v1/session")["session"]
        names = {"iss": self.live.address, "sub": session["accountId"], "sid": session["sessionId"]}
        return self.signer.claims(**{**names, "auth_time": int(time.time()) - 5, **changed})

    def tables(self) -> Tables:
        """Return every row of auth's databases that a refused call may not touch."""
        found: Tables = {}
        for name in ("auth.db", "keys.db"):
            path = self.live.layout.data / "auth" / name
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
                listed = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
                for (table,) in listed:
                    if table not in UNCHANGED_BUT and not table.startswith("sqlite_"):
                        rows = database.execute(f"SELECT * FROM {table}")  # noqa: S608 - names from the database
                        found[table] = frozenset(rows.fetchall())
        return found

    def ids_of(self, account: str) -> frozenset[str]:
        """Return every id in the rows that name an account."""
        rows = (row for table in self.tables().values() for row in table if account in row)
        ids = (value for row in rows for value in row if isinstance(value, str))
        return frozenset(one for one in ids if re.fullmatch(r"[a-z]{3}_[0-9a-z]{26}", one))

    def ask(self, method: Method, request: Message | bytes, assertion: str = "") -> tuple[str, str]:
        """Call as somebody whom the policy admits; return the code and the reason."""
        channel = self._channel(min(method.policy.callers))
        make = channel.unary_stream if method.server_streaming else channel.unary_unary
        call: Any = make(method.full_name, _wire, method.output.FromString)
        headers = [("x-valv-client-address", next(_ADDRESSES)), ("user-agent", "Mozilla/5.0")]
        headers += [("x-valv-assertion", assertion)] if assertion else []
        try:
            answer = call(request, metadata=headers, timeout=20)
            if method.server_streaming:
                next(answer)
                answer.cancel()
        except grpc.RpcError as error:
            failed = cast("grpc.Call", error)  # an error and a call in one
            return failed.code().name, reason_of(failed)
        return "OK", ""

    def _channel(self, identity: str) -> grpc.Channel:
        if identity not in self._channels:
            folder = self.live.layout.certificates
            own = folder / "workload" / f"{identity}.pem"
            if identity == "operator":
                own = issue_operator(folder, "anna", SystemClock().now())
            read = [path.read_bytes() for path in (folder / "workload" / "ca.pem", own.with_suffix(".key"), own)]
            options = (("grpc.ssl_target_name_override", f"auth.{DOMAIN}"), ("grpc.enable_http_proxy", 0))
            address = f"127.0.0.1:{self.live.layout.ports.auth}"
            self._channels[identity] = grpc.secure_channel(address, grpc.ssl_channel_credentials(*read), options)
        return self._channels[identity]

    def close(self) -> None:
        """Close the channels."""
        for channel in self._channels.values():
            channel.close()


def _wire(request: Message | bytes) -> bytes:
    return request if isinstance(request, bytes) else request.SerializeToString()


@pytest.fixture(scope="module")
def auth(live: Live) -> Iterator[Auth]:
    made = Auth(live)
    yield made
    made.close()


def _changed(before: Tables, after: Tables) -> list[str]:
    return [name for name in before if before[name] != after[name]]


@pytest.mark.clause("P9", "ASVS 16.5.3")
@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name[1:])
def test_a_bad_request_has_a_documented_reason_and_changes_nothing(auth: Auth, method: Method) -> None:
    customer = method.policy.subject is Subject.CUSTOMER
    cases = list(bad_calls(method))
    if customer:
        cases += of_another(method, auth.ids_of(str(auth.claims(auth.other)["sub"])))
    wrong = []
    for bad in cases:
        assertion = auth.signer.sign(auth.claims(auth.person)) if customer else ""
        if complaint := _complaint(auth, method, bad, assertion):
            wrong.append(f"{bad.what}: {complaint}")
    assert wrong == []


def _complaint(auth: Auth, method: Method, bad: Bad, assertion: str) -> str:
    before = auth.tables()
    code, reason = auth.ask(method, bad.request, assertion)
    if code == "OK":
        return "accepted"
    if reason not in documented() - OURS:
        return f"{code} {reason}"
    changed = _changed(before, auth.tables())
    return f"{code} {reason}, but changed {changed}" if changed else ""


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name[1:])
def test_what_is_no_message_is_refused_and_changes_nothing(auth: Auth, method: Method) -> None:
    before = auth.tables()
    assertion = auth.signer.sign(auth.claims(auth.person)) if method in CUSTOMERS else ""
    code, _ = auth.ask(method, b"\xff\xff\xff\xff", assertion)
    assert code != "OK"
    assert _changed(before, auth.tables()) == []
    assert auth.person.get("/v1/session")


def _other_key(auth: Auth) -> str:
    return Signer(SystemClock(), auth.signer.kid).sign(auth.claims(auth.person))


def _signed_out(auth: Auth) -> str:
    person = newcomer(auth.live)
    claims = auth.claims(person)
    person.http.post("/v1/session:signOut", json={}).raise_for_status()
    eventually(lambda: True if not auth.tables()["mails"] else None)
    return auth.signer.sign(claims)


def _with(**changed: object) -> Callable[[Auth], str]:
    return lambda auth: auth.signer.sign(auth.claims(auth.person, **changed))


def _past(**seconds: int) -> Callable[[Auth], str]:
    def make(auth: Auth) -> str:
        return _with(**{name: int(time.time()) - ago for name, ago in seconds.items()})(auth)

    return make


ASSERTIONS: dict[str, tuple[Callable[[Auth], str], str]] = {
    "none": (lambda _auth: "", "UNAUTHENTICATED"),
    "no token": (lambda _auth: "a.b.c", "UNAUTHENTICATED"),
    "oversized": (lambda _auth: "a" * 6000, "UNAUTHENTICATED"),
    "another key": (_other_key, "UNAUTHENTICATED"),
    "another issuer": (_with(iss="https://evil.example"), "UNAUTHENTICATED"),
    "another audience": (_with(aud="shop"), "UNAUTHENTICATED"),
    "without a session": (_with(sid=None), "UNAUTHENTICATED"),
    "expired": (_past(iat=31, exp=1), "UNAUTHENTICATED"),
    "longer than any": (_with(exp=int(time.time()) + 3600), "UNAUTHENTICATED"),
    "past its session's end": (_past(ends=1), "SESSION_ENDED"),
    "replayed after signing out": (_signed_out, "SESSION_ENDED"),
}


@pytest.mark.clause("P7", "P8", "ASVS 9.1.1", "ASVS 9.2.1", "ASVS 7.2.1")
@pytest.mark.parametrize("case", ASSERTIONS)
def test_no_method_takes_a_bad_assertion(auth: Auth, case: str) -> None:
    make, expected = ASSERTIONS[case]
    assertion = make(auth)
    before = auth.tables()
    told = {method.full_name: auth.ask(method, plausible(method), assertion) for method in CUSTOMERS}
    assert told == dict.fromkeys(told, ("UNAUTHENTICATED", expected))
    assert _changed(before, auth.tables()) == []


@pytest.mark.clause("P9", "ASVS 7.5.1")
def test_what_is_sensitive_wants_a_recent_sign_in(auth: Auth) -> None:
    before = auth.tables()
    for method in CUSTOMERS:
        fresh = method.policy.fresh_within
        if fresh is not None:
            stale = auth.signer.sign(auth.claims(auth.person, auth_time=int(time.time() - fresh) - 2))
            told = auth.ask(method, plausible(method), stale)
            assert told == ("UNAUTHENTICATED", "REAUTHENTICATE"), method.full_name
    assert _changed(before, auth.tables()) == []


JSON = [
    (one.method, one.binding)
    for one in contracts.exposed()
    if one.role == "auth" and one.binding.body and not one.method.policy.plain_http
]
SECRET = "hunter2-hunter2-hunter2"
BODIES: dict[str, tuple[dict[str, Any], set[int]]] = {
    "broken": ({"content": f'{{"password": "{SECRET}"'}, {400}),
    "of another shape": ({"content": f'["{SECRET}"]'}, {400}),
    "not UTF-8": ({"content": b'{"password": "\xff\xfe"}'}, {400}),
    "of another type": ({"content": f"password={SECRET}", "headers": {"Content-Type": "text/plain"}}, {415}),
    "oversized": ({"json": {"password": SECRET * 10_000}}, {413}),
    "deep": ({"content": '{"a":' * 5000 + "1" + "}" * 5000}, {400}),
}


@pytest.mark.clause("ASVS 16.5.1")
@pytest.mark.parametrize("body", BODIES)
def test_no_route_takes_a_body_that_is_none(auth: Auth, body: str) -> None:
    options, expected = BODIES[body]
    options = {"headers": {"Content-Type": "application/json"}, **options}
    before = auth.tables()
    for method, binding in JSON:
        path = re.sub(r"\{[^}]*\}", "ses_01jd9xk8w0q2m3n4p5r6s7t8v9", binding.path)
        reply = auth.person.http.request(binding.verb, path, **options)
        assert reply.status_code in expected, (method.full_name, reply.status_code, reply.text)
        assert SECRET not in reply.text
        assert "requestId" in reply.text
    activity = "activity"  # the edge renews the session of whoever asks
    assert set(_changed(before, auth.tables())) <= {activity}


def test_the_cases_would_see_a_change(auth: Auth) -> None:
    before = auth.tables()
    auth.person.sign_in()
    assert "sessions" in _changed(before, auth.tables())


def test_the_databases_are_where_they_are_looked_for(live: Live) -> None:
    assert Path(live.layout.data / "auth" / "auth.db").stat().st_size > 0
