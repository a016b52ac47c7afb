"""Owns envelope encryption: sealing small things under a key, and root keys that wrap keys. Never stores a bare key.

Sealed: 0x01 | nonce (12 random bytes) | AES-256-GCM ciphertext and tag, bound to a context as associated data. Random
nonces allow 2^32 seals under one key (NIST SP 800-38D, 8.3); a key here belongs to one owner and seals far fewer.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_SUITE = b"\x01"
_NONCE_BYTES = 12
_TAG_BYTES = 16
_FILE_KEY = b"\x01"
_VERSION_BYTES = 2
_WRAP = "valv/root/wrap/v1"
_LINE = re.compile(r"v([1-9][0-9]{0,4}):([A-Za-z0-9+/]{43}=)")


class SealError(ValueError):
    """A sealed thing does not open: it was changed, belongs to another context, or was sealed under another key."""


class RootKeyError(Exception):
    """A root key cannot be used. Never holds what is in it."""


@dataclass(frozen=True)
class RootKeyConfig:
    """Where the root key is: a file, or a key of AWS KMS (id, ARN or alias) with the region it lives in."""

    file: Path | None = None
    kms_key: str | None = None
    kms_region: str | None = None
    kms_endpoint: str | None = None


class RootKey(Protocol):
    """Wraps keys, so that what is stored is of no use without the root."""

    async def wrap(self, key: bytes, context: bytes) -> bytes:
        """Return the key wrapped, bound to a context.

        Raises:
            RootKeyError: The root is away.
        """
        ...

    async def unwrap(self, blob: bytes, context: bytes) -> bytes:
        """Return the key that was wrapped.

        Raises:
            SealError: It was changed, or belongs to another context or root.
            RootKeyError: The root is away.
        """
        ...


def context(label: str, *parts: str | bytes) -> bytes:
    """Return what binds a ciphertext to its use: each part after its length, so that no two lists read the same.

    Args:
        label: The use and its version, such as "valv/audit/body/v1".
        parts: What it belongs to, such as ids; text is UTF-8.
    """
    encoded = [part.encode() if isinstance(part, str) else part for part in (label, *parts)]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)


def seal(key: bytes, plaintext: bytes, context: bytes) -> bytes:
    """Return the plaintext sealed under a 32-byte key, bound to a context."""
    _require_key(key)
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return _SUITE + nonce + AESGCM(key).encrypt(nonce, plaintext, context)


def unseal(key: bytes, blob: bytes, context: bytes) -> bytes:
    """Return what was sealed.

    Raises:
        SealError: It was changed, or sealed under another key or context.
    """
    _require_key(key)
    if not is_sealed(blob):
        raise SealError("not a sealed blob of a known suite")
    try:
        return AESGCM(key).decrypt(blob[1 : 1 + _NONCE_BYTES], blob[1 + _NONCE_BYTES :], context)
    except InvalidTag:
        raise SealError("the sealed blob does not open") from None


def is_sealed(blob: bytes) -> bool:
    """Tell whether a blob has the form of one that was sealed; whether it opens is another question."""
    return blob[:1] == _SUITE and len(blob) >= 1 + _NONCE_BYTES + _TAG_BYTES


class FileRootKey:
    """Root keys in a file: a line ``v<number>:<base64 of 32 bytes>`` each. The highest wraps, all unwrap.

    Wrapped: 0x01 | version (2 bytes, big-endian) | the key sealed under that version.
    """

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            RootKeyError: It is absent, others may read it, or it holds anything but such lines.
        """
        self._keys = _read(path)
        self._newest = max(self._keys)

    async def wrap(self, key: bytes, context: bytes) -> bytes:
        """Return the key wrapped under the newest version."""
        _require_key(key)
        number = self._newest.to_bytes(_VERSION_BYTES, "big")
        return _FILE_KEY + number + seal(self._keys[self._newest], key, _bound(number, context))

    async def unwrap(self, blob: bytes, context: bytes) -> bytes:
        """Return the key that was wrapped under any version in the file.

        Raises:
            SealError: It was changed, or belongs to another context or root.
        """
        number = blob[1 : 1 + _VERSION_BYTES]
        root = self._keys.get(int.from_bytes(number, "big"))
        if blob[:1] != _FILE_KEY or root is None:
            raise SealError("not wrapped by this root key")
        return unseal(root, blob[1 + _VERSION_BYTES :], _bound(number, context))


def create_root_key(path: Path) -> None:
    """Write a new file with one root key, readable by its owner only; an existing file is kept as it is."""
    line = f"v1:{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}\n"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(line)
        file.flush()
        os.fsync(descriptor)


def _bound(number: bytes, bound: bytes) -> bytes:
    return context(_WRAP, number, bound)


def _require_key(key: bytes) -> None:
    if len(key) != KEY_BYTES:
        raise ValueError("a key is 32 bytes")


def _read(path: Path) -> dict[int, bytes]:
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & ~0o600:
                raise RootKeyError(f"{path}: its mode must be 0600 or stricter")
            lines = file.read().decode("ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RootKeyError(f"{path}: cannot be read ({type(error).__name__})") from None
    found = [_LINE.fullmatch(line) for line in lines]
    try:
        keys = {int(line[1]): base64.b64decode(line[2], validate=True) for line in found if line is not None}
    except binascii.Error:
        keys = {}
    if not keys or len(keys) != len(lines) or not all(len(key) == KEY_BYTES for key in keys.values()):
        raise RootKeyError(f"{path}: each line is v<number>:<base64 of 32 bytes>, each number once")
    if max(keys) >= 1 << 8 * _VERSION_BYTES:
        raise RootKeyError(f"{path}: a number is too large")
    return keys
