"""Owns recovery codes: ten, shown once, each good for one sign-in in place of the second factor. Never stores one.

A code is 120 random bits in 24 characters. From 112 bits on a plain hash will do (ASVS 5.0 6.5.2; NIST 800-63B-4,
section 4.2.1, asks for 64); ours is HMAC-SHA-256 under a key of the account's own, so that whoever copies the database
cannot even compare. A code is found by one look-up: no attempt costs more than another.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from services.auth.errors import SECOND_FACTOR_NOT_VALID
from services.kit.faults import Fault
from services.kit.ids import ALPHABET
from services.kit.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from services.auth.factors.totp import Keys

COUNT = 10
FEW = 3
"""When so many are left, or fewer, the owner is told."""
CODE_BYTES = 15
_LETTERS = 24
_GROUP = 6
_LABEL = b"valv/auth/recovery/v1"
_MISREAD = str.maketrans({"o": "0", "i": "1", "l": "1", "-": None, " ": None})


class RecoveryCodes:
    """Makes recovery codes and recognizes them."""

    def __init__(self, keys: Keys, entropy: Callable[[int], bytes]) -> None:
        """Take the accounts' keys and the source of randomness."""
        self._keys, self._entropy = keys, entropy

    async def make(self, account_id: str) -> tuple[Sequence[Secret], Sequence[bytes]]:
        """Return new codes, and what is stored of them."""
        key = _derived(await self._keys.get_or_create(account_id))
        texts = [_text(self._entropy(CODE_BYTES)) for _ in range(COUNT)]
        return [Secret(_grouped(text)) for text in texts], [_digest(key, text) for text in texts]

    async def recognize(self, account_id: str, code: Secret) -> bytes:
        """Return what is stored of a code, if it is one of this account's.

        Raises:
            Fault: SECOND_FACTOR_NOT_VALID: it is none of anybody's.
        """
        key = await self._keys.get(account_id)
        text = code.text().strip().lower().translate(_MISREAD)
        if key is None or len(text) != _LETTERS or not set(text) <= set(ALPHABET):
            raise Fault(SECOND_FACTOR_NOT_VALID)
        return _digest(_derived(key), text)


def _text(entropy: bytes) -> str:
    number = int.from_bytes(entropy, "big")
    return "".join(ALPHABET[number >> shift & 31] for shift in range((_LETTERS - 1) * 5, -1, -5))


def _grouped(text: str) -> str:
    return "-".join(text[start : start + _GROUP] for start in range(0, _LETTERS, _GROUP))


def _derived(key: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=_LABEL).derive(key)


def _digest(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), hashlib.sha256)
