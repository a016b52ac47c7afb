"""Leaf v1: what the log's tree commits to.

Owns the entry's bytes: 0x01 ‖ SHA-256("valv/leaf/v1" ‖ salt ‖ event). The salt hides the event from whoever guesses,
so an entry can be public. Never handles keys.
"""

from hashlib import sha256

SALT_BYTES = 32
VERSION = b"\x01"
_LABEL = b"valv/leaf/v1"


def entry(salt: bytes, event: bytes) -> bytes:
    """Return the entry (33 bytes) that commits to `event`, its canonical JSON, under `salt` (32 bytes)."""
    if len(salt) != SALT_BYTES:
        raise ValueError("a salt has 32 bytes")
    return VERSION + sha256(_LABEL + salt + event).digest()
