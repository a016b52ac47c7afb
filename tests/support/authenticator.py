"""A software authenticator (WebAuthn level 3): ES256, discoverable, attestation "none". It can be made to misbehave."""

from __future__ import annotations

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

USER_PRESENT, USER_VERIFIED, ATTESTED = 0x01, 0x04, 0x40


@dataclass
class Credential:
    """A key pair for one account of one site."""

    rp_id: str
    user_handle: bytes
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    sign_count: int = 0


@dataclass
class Authenticator:
    """What a browser asks: ``create`` and ``get`` take the site's options as JSON, and return what it sends back."""

    origin: str
    verifies_user: bool = True
    counts: bool = True
    credentials: list[Credential] = field(default_factory=list)

    def create(self, options_json: str) -> str:
        """Make a credential."""
        options = json.loads(options_json)
        made = Credential(options["rp"]["id"], _bytes(options["user"]["id"]))
        self.credentials.append(made)
        attested = bytes(16) + len(made.credential_id).to_bytes(2, "big") + made.credential_id + _cose(made.key)
        auth_data = self._auth_data(made, ATTESTED) + attested
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": auth_data})
        client_data = self._client_data("webauthn.create", options["challenge"])
        response = {"clientDataJSON": _text(client_data), "attestationObject": _text(attestation)}
        return self._answer(made, {**response, "transports": ["internal"]})

    def get(self, options_json: str, credential: Credential | None = None, **changes: Any) -> str:
        """Sign a challenge with the credential that the options allow, or with another."""
        options = json.loads(options_json)
        used = credential or self._allowed(options)
        if self.counts:
            used.sign_count += 1
        auth_data = self._auth_data(used, 0)
        client_data = self._client_data("webauthn.get", options["challenge"])
        signature = used.key.sign(auth_data + hashlib.sha256(client_data).digest(), ec.ECDSA(SHA256()))
        response = {
            "clientDataJSON": _text(client_data),
            "authenticatorData": _text(auth_data),
            "signature": _text(signature),
            "userHandle": _text(used.user_handle),
        }
        return self._answer(used, response | changes)

    def _allowed(self, options: dict[str, Any]) -> Credential:
        allowed = {_bytes(one["id"]) for one in options.get("allowCredentials", [])}
        return next(one for one in self.credentials if not allowed or one.credential_id in allowed)

    def _auth_data(self, credential: Credential, flags: int) -> bytes:
        flags |= USER_PRESENT | (USER_VERIFIED if self.verifies_user else 0)
        site = hashlib.sha256(credential.rp_id.encode()).digest()
        return site + bytes([flags]) + credential.sign_count.to_bytes(4, "big")

    def _client_data(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}).encode()

    def _answer(self, credential: Credential, response: dict[str, Any]) -> str:
        name = _text(credential.credential_id)
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": response})


def _cose(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the public key as a COSE_Key (RFC 9053 section 7.1.1): EC2, ES256, P-256."""
    numbers = key.public_key().public_numbers()
    x, y = (number.to_bytes(32, "big") for number in (numbers.x, numbers.y))
    return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
