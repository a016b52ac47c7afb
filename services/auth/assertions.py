"""Owns the signing of assertions, which spare the store a look-up. Must never sign for a session not just found alive.

Claims, frozen: iss, aud, sub (account), sid (session), iat and exp (integers, exp = iat + 30), ``ends`` (when the
session ends by itself, Unix seconds rounded down to milliseconds), auth_time (integer), amr. Ed25519 (RFC 8037),
header kid.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwa import JWSAlgModel
from joserfc.jwk import KeySet, OKPKey

from services.auth.pepper import write_new
from services.kit.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from services.auth.sessions import Session

LIFETIME = timedelta(seconds=30)
_ALGORITHM = "EdDSA"


class SigningKeyError(Exception):
    """The file of signing keys cannot be used. Never holds what is in it."""


class _Registry(jws.JWSRegistry):
    """Signs with "EdDSA", the name Envoy knows, without joserfc's advice to use its newer name (RFC 9864)."""

    def get_alg(self, name: str) -> JWSAlgModel:
        return self.algorithms[name]


@dataclass(frozen=True)
class Minted:
    """A signed assertion."""

    token: Secret
    lifetime: timedelta


class AssertionSigner:
    """Signs assertions with the first key of its file and publishes all of them."""

    def __init__(self, keys: Sequence[OKPKey], issuer: str, audience: str) -> None:
        """Take the keys; the first one signs, the others are being brought in or out."""
        self._key, self._issuer, self._audience = keys[0], issuer, audience
        self._header = {"alg": _ALGORITHM, "typ": "JWT", "kid": self._key.thumbprint()}
        self._registry = _Registry(algorithms=[_ALGORITHM])
        self.jwks = json.dumps({"keys": [_public(key) for key in keys]}, sort_keys=True)

    def sign(self, session: Session, ends: datetime, now: datetime) -> Minted:
        """Sign an assertion for a session that was just found alive, with the end just computed."""
        issued = int(now.timestamp())
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": session.account_id,
            "sid": session.session_id,
            "iat": issued,
            "exp": issued + int(LIFETIME.total_seconds()),
            "ends": milliseconds(ends) / 1000,
            "auth_time": int(session.opened.timestamp()),
            "amr": list(session.amr),
        }
        return Minted(Secret(jwt.encode(self._header, claims, self._key, registry=self._registry)), LIFETIME)


def milliseconds(time: datetime) -> int:
    """Return Unix milliseconds, rounded down."""
    return int(time.timestamp()) * 1000 + time.microsecond // 1000


def load(path: Path) -> list[OKPKey]:
    """Read a private JWK set (RFC 7517) of Ed25519 keys.

    Raises:
        SigningKeyError: It is not one.
    """
    try:
        keys = [
            key for key in KeySet.import_key_set(json.loads(path.read_text("utf-8"))).keys if isinstance(key, OKPKey)
        ]
        if not keys or not all(key.is_private and key["crv"] == "Ed25519" for key in keys):
            raise SigningKeyError(f"{path.name} does not hold Ed25519 private keys")
    except (OSError, ValueError, KeyError, TypeError, JoseError) as error:
        raise SigningKeyError(f"{path.name} is not a file of signing keys ({type(error).__name__})") from None
    return keys


def create(path: Path) -> None:
    """Write a new file with one key, readable by its owner only. An existing one is kept."""
    write_new(path, json.dumps({"keys": [OKPKey.generate_key("Ed25519").as_dict(private=True)]}) + "\n")


def _public(key: OKPKey) -> dict[str, object]:
    return {**key.as_dict(private=False), "kid": key.thumbprint(), "alg": _ALGORITHM, "use": "sig"}
