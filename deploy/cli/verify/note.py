"""Notes and checkpoints, read as their specifications say.

Owns c2sp.org/signed-note@v1.0.0 (Ed25519) and c2sp.org/tlog-checkpoint@v1.0.0 on the reader's side. Admits no other
spelling of anything.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ED25519 = b"\x01"
KEY_ID_BYTES = 4
KEY_BYTES = 32
_VKEY = re.compile(r"(?P<name>[^\s+]+)\+(?P<id>[0-9a-f]{8})\+(?P<material>[A-Za-z0-9+/]+={0,2})")
_SIGNATURE = re.compile("\u2014 (?P<name>[^\\s+]+) (?P<blob>[A-Za-z0-9+/]+={0,2})")
_CHECKPOINT = re.compile(r"(?P<origin>[^\n]+)\n(?P<size>0|[1-9][0-9]{0,18})\n(?P<root>[A-Za-z0-9+/]{43}=)\n")
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f]")


class BadError(Exception):
    """What was given does not hold; the text says why."""


@dataclass(frozen=True)
class Key:
    """A log's verifier key."""

    name: str
    key_id: bytes
    public: Ed25519PublicKey


@dataclass(frozen=True)
class Checkpoint:
    """A signed head: of which log, how many entries, and their root."""

    origin: str
    size: int
    root: bytes


def decode(text: str) -> bytes:
    """Return base64 in its one canonical spelling."""
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise BadError("a line is not base64") from None
    if base64.b64encode(data).decode() != text:
        raise BadError("a line is not base64")
    return data


def parse_key(text: str) -> Key:
    """Return a verifier key; raise BadError if it is none that Ed25519 signs with."""
    found = _VKEY.fullmatch(text.strip())
    if found is None:
        raise BadError("not a verifier key")
    material, key_id = decode(found["material"]), bytes.fromhex(found["id"])
    if material[:1] != ED25519 or len(material) != 1 + KEY_BYTES:
        raise BadError("not an Ed25519 verifier key")
    if sha256(found["name"].encode() + b"\n" + material).digest()[:KEY_ID_BYTES] != key_id:
        raise BadError("the verifier key's id does not fit it")
    return Key(found["name"], key_id, Ed25519PublicKey.from_public_bytes(material[1:]))


def open_checkpoint(note: bytes, key: Key) -> Checkpoint:
    """Return the checkpoint in a note signed by `key`."""
    text, blobs = _split(note, key)
    for blob in blobs:
        try:
            key.public.verify(blob[KEY_ID_BYTES:], text.encode())
        except InvalidSignature:
            raise BadError("the checkpoint's signature is wrong") from None
    found = _CHECKPOINT.fullmatch(text)
    if found is None:
        raise BadError("not a checkpoint")
    if found["origin"] != key.name:
        raise BadError("the checkpoint is another log's")
    return Checkpoint(found["origin"], int(found["size"]), decode(found["root"]))


def _split(note: bytes, key: Key) -> tuple[str, list[bytes]]:
    try:
        whole = note.decode()
    except UnicodeDecodeError:
        raise BadError("not a signed checkpoint") from None
    text, blank, tail = whole.rpartition("\n\n")
    if not blank or not tail.endswith("\n") or _CONTROL.search(whole):
        raise BadError("not a signed checkpoint")
    blobs = []
    for line in tail.removesuffix("\n").split("\n"):
        found = _SIGNATURE.fullmatch(line)
        if found is None:
            raise BadError("a signature line is malformed")
        blob = decode(found["blob"])
        if found["name"] == key.name and blob[:KEY_ID_BYTES] == key.key_id:
            blobs.append(blob)
    if not blobs:
        raise BadError("the checkpoint is not signed by this key")
    return text + "\n", blobs
