"""Cosignatures of witnesses, Ed25519 (c2sp.org/tlog-cosignature@v1.0.1).

Owns their bytes and their check. A line of another key or another kind is passed over; one of this key that does not
hold is an error. Knows no witness but by its key.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.audit.note import NoteError, signature_lines

COSIGNATURE = b"\x04"
AHEAD = timedelta(minutes=5)
"""How far a witness's clock may be ahead of ours."""
_KEY_ID_BYTES = 4
_TIME_BYTES = 8
_BLOB_BYTES = _KEY_ID_BYTES + _TIME_BYTES + 64
_VKEY = re.compile(r"(?P<name>[^\s+]+)\+(?P<id>[0-9a-f]{8})\+(?P<material>[A-Za-z0-9+/]+={0,2})")


class CosignatureError(ValueError):
    """A cosignature does not hold, or its key is none."""


@dataclass(frozen=True, slots=True)
class Cosigner:
    """A witness's name and public key."""

    name: str
    key: Ed25519PublicKey

    @property
    def key_id(self) -> bytes:
        """The four bytes that name the key in a signature line."""
        return sha256(self.name.encode() + b"\n" + COSIGNATURE + self.key.public_bytes_raw()).digest()[:_KEY_ID_BYTES]


def parse_vkey(text: str) -> Cosigner:
    """Return the witness that a verifier key names; raise CosignatureError unless it is an Ed25519 cosigner's."""
    found = _VKEY.fullmatch(text)
    try:
        material = base64.b64decode(found["material"], validate=True) if found is not None else b""
        if found is None or material[:1] != COSIGNATURE:
            raise CosignatureError("not an Ed25519 cosigner's key")
        cosigner = Cosigner(found["name"], Ed25519PublicKey.from_public_bytes(material[1:]))
    except (binascii.Error, ValueError):
        raise CosignatureError("not an Ed25519 cosigner's key") from None
    if cosigner.key_id.hex() != found["id"]:
        raise CosignatureError("the key id is another key's")
    return cosigner


def read(lines: bytes, text: str, cosigner: Cosigner, now: datetime) -> str:
    """Return the cosigner's line among signature lines over the checkpoint `text`.

    Raises:
        CosignatureError: There is none, it does not hold, or it is from the future.
    """
    try:
        found = signature_lines(lines)
    except NoteError as error:
        raise CosignatureError(str(error)) from None
    for line, name, blob in found:
        if name == cosigner.name and blob[:_KEY_ID_BYTES] == cosigner.key_id:
            _check(blob, text, cosigner, now)
            return line
    raise CosignatureError("the witness has not signed")


def message(time: int, text: str) -> bytes:
    """Return what a witness signs."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def _check(blob: bytes, text: str, cosigner: Cosigner, now: datetime) -> None:
    if len(blob) != _BLOB_BYTES:
        raise CosignatureError("not a cosignature")
    time = int.from_bytes(blob[_KEY_ID_BYTES : _KEY_ID_BYTES + _TIME_BYTES])
    if time > (now + AHEAD).astimezone(UTC).timestamp():
        raise CosignatureError("the cosignature is from the future")
    try:
        cosigner.key.verify(blob[_KEY_ID_BYTES + _TIME_BYTES :], message(time, text))
    except InvalidSignature:
        raise CosignatureError("the cosignature is wrong") from None
