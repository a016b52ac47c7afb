"""Owns reading anywhere in a message encrypted with Cobblestone-256 of C2SP chunked-encryption.

``cryptography.cobblestone`` encrypts, and decrypts from the first byte on; a Range needs to begin in the middle, which
the library does not offer. This follows the specification,
https://github.com/C2SP/C2SP/blob/6f65019ab73fd5dafbfe6a27cf508ef5c134cbb9/chunked-encryption.md with SHA-512 and
AES-256-GCM: 24 bytes of salt, 32 bytes of key commitment, then chunks of 16 KiB of which the last is always shorter.
Knows nothing of files, customers or stores. Must never hand out a byte that has not been authenticated.
"""

from __future__ import annotations

import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

KEY_BYTES = 32
NONCE_BYTES = 12
SALT_BYTES = 24
COMMITMENT_BYTES = 32
HEADER_BYTES = SALT_BYTES + COMMITMENT_BYTES
CHUNK_BYTES = 16384
TAG_BYTES = 16
SEALED_BYTES = CHUNK_BYTES + TAG_BYTES
MAX_CHUNKS = 1 << 38
Octets = bytes | bytearray | memoryview
_LABEL = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00"


class DamagedError(Exception):
    """Stored bytes are not what was stored; none of them may be used."""


def chunks(length: int) -> int:
    """Return how many chunks a message of that many bytes has; the last is shorter than the rest, and may be empty."""
    return length // CHUNK_BYTES + 1


def sealed_length(length: int) -> int:
    """Return the length of the ciphertext, header included, of a message of that many bytes."""
    return HEADER_BYTES + length + TAG_BYTES * chunks(length)


class Decrypter:
    """Decrypts any run of chunks of one message."""

    def __init__(self, key: bytes, header: bytes, context: bytes) -> None:
        """Take the input key, the message's first 56 bytes, and what the message is bound to.

        Raises:
            DamagedError: Key, header and context do not belong together.
        """
        if len(header) != HEADER_BYTES:
            raise DamagedError
        salt, self.commitment = header[:SALT_BYTES], header[SALT_BYTES:]
        length = KEY_BYTES + NONCE_BYTES + COMMITMENT_BYTES
        derived = HKDFExpand(SHA512(), length, _LABEL + salt + context).derive(key)
        if not hmac.compare_digest(derived[KEY_BYTES + NONCE_BYTES :], self.commitment):
            raise DamagedError
        self._cipher = AESGCM(derived[:KEY_BYTES])
        self._base_nonce = int.from_bytes(derived[KEY_BYTES : KEY_BYTES + NONCE_BYTES], "big")

    def chunks(self, first: int, sealed: Octets, *, final: bool) -> bytearray:
        """Decrypt chunks number ``first`` and following; ``final`` tells that the last of them ends the message.

        Raises:
            DamagedError: A chunk is not authentic, not where it belongs, or the message is cut or extended.
        """
        full, rest = divmod(len(sealed), SEALED_BYTES)
        if (rest < TAG_BYTES) if final else (rest != 0):
            raise DamagedError
        if first + full + final > MAX_CHUNKS:
            raise DamagedError
        plaintext = bytearray(full * CHUNK_BYTES + (rest - TAG_BYTES if final else 0))
        with memoryview(sealed) as source, memoryview(plaintext) as target:
            for index in range(full + final):
                chunk = source[index * SEALED_BYTES : (index + 1) * SEALED_BYTES]
                place = target[index * CHUNK_BYTES : (index + 1) * CHUNK_BYTES]
                nonce = (self._base_nonce ^ (first + index)).to_bytes(NONCE_BYTES, "big")
                try:
                    self._cipher.decrypt_into(nonce, chunk, None, place)
                except InvalidTag:
                    raise DamagedError from None
        return plaintext
