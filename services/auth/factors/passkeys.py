"""Owns passkeys (WebAuthn level 3): what an authenticator is asked, and whether its answer is right. Stores nothing.

The relying party and its origin are those of the public address. A passkey is discoverable, so that it can say whose it
is; that it verifies its user is asked for at registration, and required where it is the only sign-in. No attestation is
asked for: who makes somebody's authenticator is their own affair.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import webauthn
from webauthn.helpers import parse_authentication_credential_json, parse_client_data_json
from webauthn.helpers import parse_registration_credential_json as parse_registration
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from services.auth.errors import PASSKEY_NOT_VALID, SECOND_FACTOR_NOT_VALID
from services.kit.faults import INVALID_ARGUMENT, Fault
from services.kit.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

MOST = 20
"""Passkeys that an account may have."""
LONGEST_NAME = 64
LONGEST_CREDENTIAL = 1023
"""Bytes of a credential's id (WebAuthn level 3, section 4)."""
TIMEOUT_MILLISECONDS = 300_000
ALGORITHMS = [
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]


@dataclass(frozen=True)
class Passkey:
    """A passkey as stored."""

    passkey_id: str
    account_id: str
    credential_id: bytes = field(repr=False)
    public_key: bytes = field(repr=False)
    """COSE."""
    sign_count: int
    verifies_user: bool
    """Its user was verified when it was added."""
    transports: tuple[str, ...]
    display_name: str
    created: datetime
    used: datetime | None = None


@dataclass(frozen=True)
class Registered:
    """What an authenticator made."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    verifies_user: bool
    transports: tuple[str, ...]


@dataclass(frozen=True)
class Claim:
    """Which passkey an answer says it is of. Nothing of it is proven yet."""

    credential_id: bytes
    user_handle: bytes | None


class Ceremonies:
    """Asks authenticators, and reads their answers."""

    def __init__(self, public_url: str, product: str) -> None:
        """Take the public address and the name customers know the service by."""
        self._origin, self._product = public_url, product
        self._rp_id = urlsplit(public_url).hostname or ""

    def creation_options(self, account_id: str, email: str, known: Sequence[Passkey], challenge: Secret) -> str:
        """Return what a new passkey is made of, as JSON."""
        options = webauthn.generate_registration_options(
            rp_id=self._rp_id,
            rp_name=self._product,
            user_id=account_id.encode(),
            user_name=email,
            challenge=challenge.reveal(),
            timeout=TIMEOUT_MILLISECONDS,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.PREFERRED
            ),
            exclude_credentials=[_descriptor(passkey) for passkey in known],
            supported_pub_key_algs=ALGORITHMS,
        )
        return webauthn.options_to_json(options)

    def challenge_in(self, credential: Secret) -> Secret:
        """Return the challenge that a new passkey was made for, as the browser tells it.

        Raises:
            Fault: PASSKEY_NOT_VALID: the answer is not one.
        """
        try:
            parsed = parse_registration(credential.text())
            return Secret(parse_client_data_json(parsed.response.client_data_json).challenge.decode("ascii"))
        except Exception:  # noqa: BLE001 - the library reads a stranger's bytes: whatever it stumbles over is refused
            raise Fault(PASSKEY_NOT_VALID, field="credential_json") from None

    def register(self, credential: Secret, challenge: Secret) -> Registered:
        """Return what an authenticator made for this challenge.

        Raises:
            Fault: PASSKEY_NOT_VALID.
        """
        try:
            parsed = parse_registration(credential.text())
            made = webauthn.verify_registration_response(
                credential=parsed,
                expected_challenge=challenge.reveal(),
                expected_rp_id=self._rp_id,
                expected_origin=self._origin,
                supported_pub_key_algs=ALGORITHMS,
            )
        except Exception:  # noqa: BLE001 - the library reads a stranger's bytes: whatever it stumbles over is refused
            raise Fault(PASSKEY_NOT_VALID, field="credential_json") from None
        if len(made.credential_id) > LONGEST_CREDENTIAL:
            raise Fault(PASSKEY_NOT_VALID, field="credential_json")
        transports = tuple(sorted({transport.value for transport in parsed.response.transports or ()}))
        return Registered(
            made.credential_id, made.credential_public_key, made.sign_count, made.user_verified, transports
        )

    def request_options(self, known: Sequence[Passkey], challenge: Secret, *, alone: bool) -> str:
        """Return what a passkey is asked to sign, as JSON; without ``known`` the browser offers what it has."""
        verification = UserVerificationRequirement.REQUIRED if alone else UserVerificationRequirement.PREFERRED
        options = webauthn.generate_authentication_options(
            rp_id=self._rp_id,
            challenge=challenge.reveal(),
            timeout=TIMEOUT_MILLISECONDS,
            allow_credentials=[_descriptor(passkey) for passkey in known],
            user_verification=verification,
        )
        return webauthn.options_to_json(options)

    def claim_in(self, credential: Secret) -> Claim:
        """Return which passkey an answer says it is of.

        Raises:
            Fault: SECOND_FACTOR_NOT_VALID: the answer is not one.
        """
        try:
            parsed = parse_authentication_credential_json(credential.text())
        except Exception:  # noqa: BLE001 - the library reads a stranger's bytes: whatever it stumbles over is refused
            raise Fault(SECOND_FACTOR_NOT_VALID) from None
        return Claim(parsed.raw_id, parsed.response.user_handle)

    def check(self, passkey: Passkey, credential: Secret, challenge: Secret, *, alone: bool) -> int:
        """Check what a passkey signed; return its new count, which counts once the store has taken it.

        Raises:
            Fault: SECOND_FACTOR_NOT_VALID: the signature, origin, count or verification of the user is not right.
        """
        try:
            return webauthn.verify_authentication_response(
                credential=credential.text(),
                expected_challenge=challenge.reveal(),
                expected_rp_id=self._rp_id,
                expected_origin=self._origin,
                credential_public_key=passkey.public_key,
                credential_current_sign_count=passkey.sign_count,
                require_user_verification=alone,
            ).new_sign_count
        except Exception:  # noqa: BLE001 - the library reads a stranger's bytes: whatever it stumbles over is refused
            raise Fault(SECOND_FACTOR_NOT_VALID) from None


def named(display_name: str) -> str:
    """Return a passkey's name as its owner wrote it, without space around it.

    Raises:
        Fault: INVALID_ARGUMENT: it is empty, too long, or holds what cannot be seen.
    """
    name = unicodedata.normalize("NFC", display_name).strip()
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise Fault(INVALID_ARGUMENT, field="display_name")
    return name


def _descriptor(passkey: Passkey) -> PublicKeyCredentialDescriptor:
    transports = [AuthenticatorTransport(name) for name in passkey.transports]
    return PublicKeyCredentialDescriptor(id=passkey.credential_id, transports=transports or None)
