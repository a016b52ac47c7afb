"""Owns the one form of auth's random tokens: 256 bits, URL-safe, kept as SHA-256 only. Must never keep one itself.

They are too random for a plain hash to be turned back (ASVS 5.0 7.2.3); what people choose is never hashed here.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

BYTES = 32


def mint(prefix: str, entropy: Callable[[int], bytes]) -> str:
    """Return a new token: the prefix that tells its kind, then 43 characters of base64url."""
    return prefix + base64.urlsafe_b64encode(entropy(BYTES)).decode().rstrip("=")


def digest(token: str) -> bytes:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode()).digest()
