"""Who a third party says somebody is: believed only when it is theirs, for us, for this attempt, and now."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from services.auth.links.connectors import Away, Refused
from services.auth.links.https import Answer, Https
from services.auth.links.id_token import IdTokens
from services.auth.links.providers import OidcConfig
from tests.support.clock import FakeClock

ISSUER = "https://id.example"
CONFIG = OidcConfig(ISSUER, f"{ISSUER}/go", f"{ISSUER}/token", f"{ISSUER}/keys", "valv")
KEY = RSAKey.generate_key(2048, {"kid": "k1"})
CLOCK = FakeClock()
NOW = int(CLOCK.now().timestamp())
CLAIMS = {
    "iss": ISSUER,
    "aud": "valv",
    "sub": "u-17",
    "nonce": "n",
    "iat": NOW,
    "exp": NOW + 300,
    "email": "a@b.example",
}


class Keys(Https):
    """Answers with a key set; asks nobody."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    async def ask(self, method: str, url: str, headers: object = None, content: bytes | None = None) -> Answer:
        assert (method, url) == ("GET", CONFIG.jwks_uri)
        return self.answer


class Server(Https):
    """Gives the same tokens to everybody, and notes what it is asked."""

    def __init__(self, given: bytes) -> None:
        self.given, self.asked = given, list[str]()

    async def ask(self, method: str, url: str, headers: object = None, content: bytes | None = None) -> Answer:
        self.asked.append(url)
        return Answer(200, self.given)


def tokens(answer: Answer | None = None) -> IdTokens:
    published = json.dumps(KeySet([KEY]).as_dict(private=False)).encode()
    return IdTokens(CONFIG, Keys(answer or Answer(200, published)), CLOCK)


def signed(key: RSAKey = KEY, claims: Mapping[str, object] = CLAIMS) -> str:
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": "RS256", "kid": "k1"}, kept, key, algorithms=["RS256"])


def with_the_public_key_as_a_secret() -> str:
    """Return a token of the oldest trick: an HMAC whose key is what everybody knows."""
    body = b".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in ({"alg": "HS256", "kid": "k1"}, CLAIMS)
    )
    mac = hmac.digest(KEY.as_pem(private=False), body, "sha256")
    return (body + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()


@pytest.mark.clause("ASVS 6.8.1", "ASVS 10.5.2")
async def test_somebody_is_the_subject_never_the_address() -> None:
    assert await tokens().subject(signed(), "n") == "u-17"
    assert await tokens().subject(signed(claims=CLAIMS | {"aud": ["valv", "other"], "azp": "valv"}), "n") == "u-17"


@pytest.mark.clause("ASVS 6.8.2", "ASVS 10.5.1", "ASVS 10.5.3", "ASVS 10.5.4")
@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://other.example"},
        {"iss": None},
        {"aud": "other"},
        {"aud": None},
        {"aud": ["valv", "other"]},
        {"azp": "other"},
        {"nonce": "m"},
        {"nonce": None},
        {"exp": NOW - 31},
        {"exp": None},
        {"iat": None},
        {"iat": NOW + 31},
        {"sub": None},
        {"sub": ""},
        {"sub": 17},
        {"sub": "u" * 256},
    ],
    ids=str,
)
async def test_a_token_for_anything_else_is_refused(claims: dict[str, object]) -> None:
    with pytest.raises(Refused):
        await tokens().subject(signed(claims=CLAIMS | claims), "n")


@pytest.mark.clause("ASVS 6.8.2", "ASVS 10.5.3")
async def test_a_token_that_is_not_signed_by_the_third_party_is_refused() -> None:
    own = RSAKey.generate_key(2048, {"kid": "k1"})
    head, _, tail = signed().partition(".")
    nobody = signed().rsplit(".", 1)[0] + "."
    for forged in (signed(own), with_the_public_key_as_a_secret(), f"{head}.e30.{tail}", nobody, "", "x", "a.b.c"):
        with pytest.raises(Refused):
            await tokens().subject(forged, "n")
    for absent in (None, 17, {"sub": "u-17"}):
        with pytest.raises(Refused):
            await tokens().subject(absent, "n")


@pytest.mark.parametrize(
    "answer", [Answer(500, b"{}"), Answer(200, b"[]"), Answer(200, b"{"), Answer(200, b'{"keys": 1}')]
)
async def test_without_keys_nobody_is_believed(answer: Answer) -> None:
    with pytest.raises((Away, Refused)):
        await tokens(answer).subject(signed(), "n")
