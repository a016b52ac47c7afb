"""Assertions signed as auth signs them, and ones that nobody should admit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from joserfc import jws, jwt
from joserfc.jwk import Key, OKPKey

from services.kit.clock import Clock

ISSUER = "https://localhost:8443"
AUDIENCE = "valv"
CUSTOMER = "usr_01k00000000000000000000001"
SESSION = "ses_01k00000000000000000000001"


class _AnyAlgorithm(jws.JWSRegistry):
    def get_alg(self, name: str) -> Any:
        return self.algorithms[name]

    def check_header(self, header: object) -> None:
        """Sign under any header."""


class Signer:
    """One Ed25519 key and what is signed with it."""

    def __init__(self, clock: Clock, kid: str = "k1") -> None:
        self.clock, self.kid = clock, kid
        self.key = OKPKey.generate_key("Ed25519")

    @property
    def jwks(self) -> str:
        """The public key set."""
        public = {**self.key.as_dict(private=False), "kid": self.kid, "alg": "EdDSA", "use": "sig"}
        return json.dumps({"keys": [public]})

    def claims(self, **changed: object) -> dict[str, object]:
        """Good claims, with changes; a change to None leaves the claim out."""
        now = int(self.clock.now().timestamp())
        good: dict[str, object] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": CUSTOMER,
            "sid": SESSION,
            "iat": now,
            "exp": now + 30,
            "ends": now + 1800.25,
            "auth_time": now - 60,
            "amr": ["pwd"],
        }
        return {name: value for name, value in (good | changed).items() if value is not None}

    def sign(
        self,
        claims: Mapping[str, object] | None = None,
        header: Mapping[str, object] | None = None,
        key: Key | None = None,
    ) -> str:
        """Return a token."""
        full = {"alg": "EdDSA", "typ": "JWT", "kid": self.kid, **(header or {})}
        full = {name: value for name, value in full.items() if value is not None}
        registry = _AnyAlgorithm(algorithms=["EdDSA", "HS256", "ES256"], strict_check_header=False)
        return jwt.encode(full, dict(claims or self.claims()), key or self.key, registry=registry, default_type=None)
