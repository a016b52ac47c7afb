"""Owns the pepper: secret keys outside the database, without which a stolen hash cannot even be guessed at.

The file is TOML: ``current = "<id>"`` and a table ``[keys]`` of id = base64 of 32 bytes. New hashes use the current
key; the others only check hashes that were made with them. Keys leave the process in no form.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
import tomllib
from typing import TYPE_CHECKING

from services.kit.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

KEY_BYTES = 32
_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_PASSWORD = b"valv/auth/password/v1\x00"
_BLIND = b"valv/auth/blind/v1\x00"
_NAME = b"valv/auth/pepper/name/v1\x00"


class PepperError(Exception):
    """The pepper file cannot be used. Never holds what is in it."""


class Pepper:
    """A set of keys, one of them current."""

    def __init__(self, current: str, keys: Mapping[str, Secret]) -> None:
        """Take the keys by id.

        Raises:
            PepperError: The current one is not among them, or one is not 32 bytes.
        """
        if current not in keys:
            raise PepperError("the current key is not in the file")
        if not all(_ID.fullmatch(name) and len(key.reveal()) == KEY_BYTES for name, key in keys.items()):
            raise PepperError("each key is 32 bytes under a short lower-case id")
        self.current = current
        self._keys = dict(keys)

    def __contains__(self, key_id: object) -> bool:
        return key_id in self._keys

    def mix(self, key_id: str, password: bytes) -> bytes:
        """Return HMAC-SHA256 of a password under a key: the input of the password hash."""
        return hmac.digest(self._keys[key_id].reveal(), _PASSWORD + password, hashlib.sha256)

    def blind(self, text: str) -> str:
        """Return a name for something that must not be readable or guessable where counters are kept (hexadecimal)."""
        return hmac.new(self._keys[self.current].reveal(), _BLIND + text.encode(), hashlib.sha256).hexdigest()


def load(path: Path) -> Pepper:
    """Read a pepper file.

    Raises:
        PepperError: It is not one.
    """
    try:
        table = tomllib.loads(path.read_text("utf-8"))
        keys = {name: Secret(base64.b64decode(text, validate=True)) for name, text in table["keys"].items()}
        return Pepper(table["current"], keys)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise PepperError(f"{path.name} is not a pepper file ({type(error).__name__})") from None


def create(path: Path, entropy: Callable[[int], bytes] = os.urandom) -> None:
    """Write a new pepper file with one key, readable by its owner only. An existing one is kept.

    The id tells one key from another, so that a file made anew is not mistaken for the one that was lost.
    """
    key = entropy(KEY_BYTES)
    key_id = "p" + hashlib.sha256(_NAME + key).hexdigest()[:12]
    write_new(path, f'current = "{key_id}"\n\n[keys]\n{key_id} = "{base64.b64encode(key).decode()}"\n')


def write_new(path: Path, text: str) -> None:
    """Write a file of mode 0600 and make it durable; an existing file is kept as it is."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
