"""What an entry's secrets are derived from: its owner's key and its event's id.

Owns the derivation, for ever: a record that is sent again after a restore makes the same leaf. Never stores keys.
"""

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from services.audit import leaf

_DERIVE = b"valv/audit/entry/v1"
_KEY_BYTES = 32


def derive(key: bytes, event_id: str) -> tuple[bytes, bytes]:
    """Return the salt of the event's leaf, and the key its body is sealed under."""
    derived = HKDFExpand(SHA256(), leaf.SALT_BYTES + _KEY_BYTES, _DERIVE + event_id.encode()).derive(key)
    return derived[: leaf.SALT_BYTES], derived[leaf.SALT_BYTES :]
