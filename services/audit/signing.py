"""The log's signing key file.

Owns its reading and, for development, its making. Never replaces a key: a log has one for its life.
"""

import os
import stat
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from services.audit.note import Signer
from services.kit.config import ConfigError


def load_signer(path: Path, origin: str) -> Signer:
    """Return the signer of the log named `origin`; raise ConfigError when the file is not a private Ed25519 key."""
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & ~0o600:
                raise ConfigError(f"{path}: its mode must be 0600 or stricter")
            key = load_pem_private_key(file.read(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigError(f"{path}: not an Ed25519 key")
        return Signer(origin, key)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{path}: cannot be used ({type(error).__name__})") from None


def create_signing_key(path: Path) -> None:
    """Write a new key, readable by its owner only; an existing file is kept as it is."""
    key = Ed25519PrivateKey.generate()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        file.flush()
        os.fsync(descriptor)
