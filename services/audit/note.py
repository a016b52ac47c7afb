"""Signed notes with Ed25519 keys (c2sp.org/signed-note@v1.0.0).

Owns the note's bytes, key ids and verifier keys. Knows nothing of what a note says.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519 = b"\x01"
_KEY_ID_BYTES = 4
_NAME = re.compile(r"[^\s+]+")
_SIGNATURE = re.compile("\u2014 (?P<name>[^\\s+]+) (?P<blob>[A-Za-z0-9+/]+={0,2})")
_MAX_SIGNATURES = 64
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f]")


class NoteError(ValueError):
    """A note is not well formed or not signed by the key that must have signed it."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """A log's public key and name."""

    name: str
    key: Ed25519PublicKey

    @property
    def key_id(self) -> bytes:
        """The four bytes that name the key in a signature line."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.key.public_bytes_raw()).digest()[:_KEY_ID_BYTES]

    @property
    def vkey(self) -> str:
        """The verifier key as text."""
        material = base64.b64encode(_ED25519 + self.key.public_bytes_raw()).decode()
        return f"{self.name}+{self.key_id.hex()}+{material}"


@dataclass(frozen=True, slots=True)
class Signer:
    """A log's private key and name."""

    name: str
    key: Ed25519PrivateKey

    def __post_init__(self) -> None:
        """Refuse a name that the format cannot carry."""
        if not _NAME.fullmatch(self.name):
            raise NoteError("a key name has no space and no plus")

    def __repr__(self) -> str:
        """Name the signer without its key."""
        return f"Signer({self.name!r})"

    @property
    def verifier(self) -> Verifier:
        """The key that checks what this one signs."""
        return Verifier(self.name, self.key.public_key())

    def sign(self, text: str) -> bytes:
        """Return the note over `text`, which ends with a newline."""
        if not text.endswith("\n") or _CONTROL.search(text):
            raise NoteError("the text cannot be a note")
        blob = base64.b64encode(self.verifier.key_id + self.key.sign(text.encode())).decode()
        return f"{text}\n\u2014 {self.name} {blob}\n".encode()


def open_note(note: bytes, verifier: Verifier) -> str:
    """Return the text of a note that `verifier` has signed; raise NoteError otherwise."""
    text, signatures = _split(note)
    mine = [blob for name, blob in signatures if name == verifier.name and blob[:_KEY_ID_BYTES] == verifier.key_id]
    if not mine:
        raise NoteError("the note is not signed by this key")
    for blob in mine:
        try:
            verifier.key.verify(blob[_KEY_ID_BYTES:], text.encode())
        except InvalidSignature:
            raise NoteError("the signature is wrong") from None
    return text


def signed_by(note: bytes, verifier: Verifier) -> bytes:
    """Return the note with the signatures of `verifier` alone; raise NoteError when it has none."""
    text = open_note(note, verifier)
    mine = [
        line
        for line, name, blob in signature_lines(note[len(text.encode()) + 1 :])
        if name == verifier.name and blob[:_KEY_ID_BYTES] == verifier.key_id
    ]
    return f"{text}\n{mine[0]}\n".encode()


def signature_lines(data: bytes) -> list[tuple[str, str, bytes]]:
    """Return signature lines, each with its key's name and its blob; raise NoteError when one is not well formed."""
    try:
        lines = data.decode().removesuffix("\n").split("\n")
    except UnicodeDecodeError:
        raise NoteError("a note is UTF-8") from None
    if not data.endswith(b"\n") or len(lines) > _MAX_SIGNATURES:
        raise NoteError("not signature lines")
    return [(line, *_signature(line)) for line in lines]


def _split(note: bytes) -> tuple[str, list[tuple[str, bytes]]]:
    try:
        whole = note.decode()
    except UnicodeDecodeError:
        raise NoteError("a note is UTF-8") from None
    text, blank, tail = whole.rpartition("\n\n")
    lines = tail.removesuffix("\n").split("\n")
    if not blank or not tail.endswith("\n") or _CONTROL.search(whole) or len(lines) > _MAX_SIGNATURES:
        raise NoteError("not a signed note")
    return text + "\n", [_signature(line) for line in lines]


def _signature(line: str) -> tuple[str, bytes]:
    found = _SIGNATURE.fullmatch(line)
    if found is None:
        raise NoteError("not a signature line")
    try:
        blob = base64.b64decode(found["blob"], validate=True)
    except binascii.Error:
        raise NoteError("not a signature line") from None
    if len(blob) <= _KEY_ID_BYTES or base64.b64encode(blob).decode() != found["blob"]:
        raise NoteError("not a signature line")
    return found["name"], blob
