"""Notes, keys and checkpoints, read as their specifications say.

Owns c2sp.org/signed-note@v1.0.0 and c2sp.org/tlog-checkpoint@v1.0.0 on the reader's side, with the two kinds of key
that sign them here: a log's (Ed25519) and a witness's (c2sp.org/tlog-cosignature@v1.0.1, Ed25519). Admits no other
spelling of anything.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

KEY_ID_BYTES = 4
KEY_BYTES = 32
SIGNATURE_BYTES = 64
LONGEST = 1 << 20
"""Bytes of the longest note, or file around a note, that is read at all."""
_TIME_BYTES = 8
_MOST_SIGNATURES = 64
_LATEST = (1 << 63) - 1
_VKEY = re.compile(r"(?P<name>[^\s+]+)\+(?P<id>[0-9a-f]{8})\+(?P<material>[A-Za-z0-9+/]+={0,2})")
_SIGNATURE = re.compile("\u2014 (?P<name>[^\\s+]+) (?P<blob>[A-Za-z0-9+/]+={0,2})")
_CHECKPOINT = re.compile(r"(?P<origin>[^\n]+)\n(?P<size>0|[1-9][0-9]{0,18})\n(?P<root>[A-Za-z0-9+/]{43}=)\n")
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f]")


class BadError(Exception):
    """What was given does not hold; the text says why."""


class Kind(IntEnum):
    """What a key signs with: the first byte of its material."""

    LOG = 0x01
    WITNESS = 0x04


@dataclass(frozen=True)
class Note:
    """A signed text, its signatures not yet checked: pairs of key name and key id with signature."""

    text: str
    signatures: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class Key:
    """A verifier key."""

    name: str
    kind: Kind
    public: bytes

    @property
    def key_id(self) -> bytes:
        """The four bytes that name the key in a signature line."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:KEY_ID_BYTES]

    def signed(self, note: Note) -> bool:
        """Tell whether the note bears this key's signature.

        Raises:
            BadError: It bears one in this key's name that is wrong.
        """
        own, key_id = [], self.key_id
        for name, blob in note.signatures:
            if name == self.name and blob[:KEY_ID_BYTES] == key_id:
                own.append(blob[KEY_ID_BYTES:])
        for signature in own:
            self._require(signature, note.text)
        return bool(own)

    def _require(self, signature: bytes, text: str) -> None:
        signed = text
        if self.kind is Kind.WITNESS:
            time, signature = int.from_bytes(signature[:_TIME_BYTES]), signature[_TIME_BYTES:]
            if time > _LATEST or len(signature) != SIGNATURE_BYTES:
                raise BadError(f"the cosignature of {self.name} is malformed")
            signed = f"cosignature/v1\ntime {time}\n{text}"
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, signed.encode())
        except InvalidSignature:
            whose = "the checkpoint's signature" if self.kind is Kind.LOG else f"the cosignature of {self.name}"
            raise BadError(f"{whose} is wrong") from None


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
    except (binascii.Error, ValueError):
        raise BadError("a line is not base64") from None
    if base64.b64encode(data).decode() != text:
        raise BadError("a line is not base64")
    return data


def parse_key(text: str, kind: Kind = Kind.LOG) -> Key:
    """Return a verifier key; raise BadError if it is none of this kind."""
    found = _VKEY.fullmatch(text.strip())
    if found is None:
        raise BadError("not a verifier key")
    material = decode(found["material"])
    if material[0] != kind or len(material) != 1 + KEY_BYTES:
        raise BadError(f"not a {kind.name.lower()}'s Ed25519 verifier key (type {kind:#04x})")
    key = Key(found["name"], kind, material[1:])
    if key.key_id.hex() != found["id"]:
        raise BadError("the verifier key's id does not fit it")
    return key


def parse_note(data: bytes) -> Note:
    """Return a note whose signatures are still to be checked."""
    try:
        whole = data.decode()
    except UnicodeDecodeError:
        raise BadError("not a signed checkpoint") from None
    text, blank, tail = whole.rpartition("\n\n")
    lines = tail.removesuffix("\n").split("\n")
    if not blank or not tail.endswith("\n") or _CONTROL.search(whole) or len(lines) > _MOST_SIGNATURES:
        raise BadError("not a signed checkpoint")
    return Note(text + "\n", tuple(_signature(line) for line in lines))


def parse_checkpoint(text: str) -> Checkpoint:
    """Return the checkpoint that a note's text is. Extension lines are refused: Valv's logs write none."""
    found = _CHECKPOINT.fullmatch(text)
    if found is None:
        raise BadError("not a checkpoint")
    return Checkpoint(found["origin"], int(found["size"]), decode(found["root"]))


def _signature(line: str) -> tuple[str, bytes]:
    found = _SIGNATURE.fullmatch(line)
    blob = decode(found["blob"]) if found is not None else b""
    if found is None or len(blob) <= KEY_ID_BYTES:
        raise BadError("a signature line is malformed")
    return found["name"], blob
