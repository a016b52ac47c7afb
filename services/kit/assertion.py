"""Owns the checking of assertions: the edge's word on who calls. Must never admit one on a header's or a peer's say-so.

An assertion is a JWT, ``{"alg": "EdDSA", "typ": "JWT", "kid": ...}``, signed by auth with Ed25519, valid for 30
seconds. Its claims are frozen: iss, aud, sub (account), sid (session), iat, exp, ``ends`` (the session ends by itself
then, Unix seconds to the millisecond), auth_time, amr. No clock skew is allowed for. The signature is checked once per
token; its expiry, the session's end and revocations are checked at every use.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import GuestProtocol, OKPKey

from services.kit.clock import Clock
from services.kit.faults import SESSION_ENDED, UNAUTHENTICATED, Fault
from services.kit.ids import check

LIFETIME_SECONDS = 30
CACHED = 10_000
_LONGEST = 4096
_ALGORITHM = "EdDSA"
_HEADER = {"alg", "typ", "kid"}


@dataclass(frozen=True)
class Assertion:
    """Who calls: an account and its session. Times are aware UTC."""

    subject: str
    session: str
    issued: datetime
    expires: datetime
    ends: datetime
    auth_time: datetime
    amr: tuple[str, ...]


class Sessions(Protocol):
    """What the verifier knows of keys and revocations: ``watch.RevocationState``."""

    @property
    def keys(self) -> Mapping[str, OKPKey]:
        """The keys that sign assertions, by id; another object when they change."""
        ...

    def require_fresh(self) -> None:
        """Raise unless revocations are known up to now."""
        ...

    def require_live(self, session: str) -> None:
        """Raise when the session was revoked."""
        ...


class _Registry(jws.JWSRegistry):
    """Knows "EdDSA", the name Envoy knows, without joserfc's advice to use its newer name (RFC 9864)."""

    def get_alg(self, name: str) -> Any:
        if name != _ALGORITHM:
            raise Fault(UNAUTHENTICATED)
        return self.algorithms[name]


class AssertionVerifier:
    """Checks assertions; remembers the good ones until they expire."""

    def __init__(self, sessions: Sessions, clock: Clock, issuer: str, audience: str) -> None:
        """Take what is known of sessions, and the issuer and audience that every assertion must name."""
        self._sessions, self._clock = sessions, clock
        self._issuer, self._audience = issuer, audience
        self._registry = _Registry(algorithms=[_ALGORITHM])
        self._keys: Mapping[str, OKPKey] = sessions.keys
        self._known: OrderedDict[bytes, Assertion] = OrderedDict()

    def verify(self, token: str) -> Assertion:
        """Return what a token asserts.

        Raises:
            Fault: REVOCATION_UNKNOWN, UNAUTHENTICATED (forged, foreign or expired) or SESSION_ENDED.
        """
        self._sessions.require_fresh()
        if self._keys is not self._sessions.keys:
            self._keys = self._sessions.keys
            self._known.clear()
        name = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        assertion = self._known.get(name)
        if assertion is None:
            assertion = self._read(token)
        else:
            self._known.move_to_end(name)
        if self._clock.now() >= assertion.expires:
            self._known.pop(name, None)
            raise Fault(UNAUTHENTICATED)
        self.live(assertion)
        self._known[name] = assertion
        while len(self._known) > CACHED:
            self._known.popitem(last=False)
        return assertion

    def live(self, assertion: Assertion) -> None:
        """Check that a session lives on: what a running transfer asks again and again, long after ``expires``.

        Raises:
            Fault: REVOCATION_UNKNOWN or SESSION_ENDED.
        """
        self._sessions.require_fresh()
        self._sessions.require_live(assertion.session)
        if self._clock.now() >= assertion.ends:
            raise Fault(SESSION_ENDED)

    def _read(self, token: str) -> Assertion:
        if len(token) > _LONGEST:
            raise Fault(UNAUTHENTICATED)
        try:
            read = jwt.decode(token, self._key, registry=self._registry)
            return self._assertion(read.claims)
        except (JoseError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
            raise Fault(UNAUTHENTICATED) from None

    def _key(self, signed: GuestProtocol) -> OKPKey:
        header = signed.headers()
        if set(header) != _HEADER or header["typ"] != "JWT":
            raise Fault(UNAUTHENTICATED)
        return self._keys[header["kid"]]

    def _assertion(self, claims: Mapping[str, object]) -> Assertion:
        issued, expires, auth_time = (_integer(claims[name]) for name in ("iat", "exp", "auth_time"))
        ends, amr = claims["ends"], claims["amr"]
        sound = (
            claims["iss"] == self._issuer,
            claims["aud"] == self._audience,
            0 < expires - issued <= LIFETIME_SECONDS,
            type(ends) in (int, float),
            isinstance(amr, list) and all(isinstance(method, str) for method in amr),
        )
        if not all(sound) or not isinstance(ends, int | float) or not isinstance(amr, list):
            raise Fault(UNAUTHENTICATED)
        return Assertion(
            subject=check("usr", str(claims["sub"])),
            session=check("ses", str(claims["sid"])),
            issued=_time(issued),
            expires=_time(expires),
            ends=datetime.fromtimestamp(round(ends * 1000) / 1000, UTC),
            auth_time=_time(auth_time),
            amr=tuple(amr),
        )


def _integer(value: object) -> int:
    if type(value) is not int:
        raise ValueError("not an integer")
    return value


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
