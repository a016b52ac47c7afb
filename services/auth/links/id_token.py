"""Owns the verification of identity tokens (OpenID Connect Core 1.0, 3.1.3.7). Must never identify by an address.

Who somebody is at a third party is (iss, sub) and nothing else; signature, audience, nonce and time are all checked.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from services.auth.links.connectors import Away, Refused

if TYPE_CHECKING:
    from services.auth.links.https import Https
    from services.auth.links.providers import OidcConfig
    from services.kit.clock import Clock

ALGORITHMS = ("RS256", "PS256", "ES256")
SKEW_SECONDS = 30
_LONGEST = 255


class IdTokens:
    """Verifies the identity tokens of one third party."""

    def __init__(self, config: OidcConfig, https: Https, clock: Clock) -> None:
        """Take the third party, how its keys are fetched, and the clock."""
        self._config, self._https, self._clock = config, https, clock

    async def subject(self, token: object, nonce: str) -> str:
        """Return whom a token is about.

        Raises:
            Refused: It is not the third party's, not for us, not for this attempt, or too old.
            Away: The keys could not be fetched.
            Untrusted: The certificate of where they are is not right.
        """
        if not isinstance(token, str):
            raise Refused
        keys = await self._keys()
        try:
            claims = jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims
            self._registry(nonce).validate(claims)
        except (JoseError, ValueError, TypeError, KeyError):
            raise Refused from None
        subject, audience = claims.get("sub"), claims.get("aud")
        others = isinstance(audience, list) and len(audience) > 1
        if (others or "azp" in claims) and claims.get("azp") != self._config.client_id:
            raise Refused
        if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST:
            raise Refused
        return subject

    async def _keys(self) -> KeySet:
        answer = await self._https.ask("GET", self._config.jwks_uri)
        if answer.status != HTTPStatus.OK:
            raise Away
        try:
            return KeySet.import_key_set(answer.object())  # type: ignore[arg-type]  # checked as it is read
        except (JoseError, ValueError, TypeError, KeyError):
            raise Away from None

    def _registry(self, nonce: str) -> jwt.JWTClaimsRegistry:
        return jwt.JWTClaimsRegistry(
            now=int(self._clock.now().timestamp()),
            leeway=SKEW_SECONDS,
            iss={"essential": True, "value": self._config.issuer},
            aud={"essential": True, "value": self._config.client_id},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
