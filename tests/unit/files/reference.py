"""A second, plain and slow reading of C2SP chunked-encryption, written from the specification alone."""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def expand(key: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand with SHA-512 (RFC 5869, 2.3)."""
    block = output = b""
    counter = 1
    while len(output) < length:
        block = hmac.new(key, block + info + bytes([counter]), hashlib.sha512).digest()
        output += block
        counter += 1
    return output[:length]


def schedule(key: bytes, salt: bytes, context: bytes) -> tuple[bytes, bytes, bytes]:
    """Return key, base nonce and commitment."""
    derived = expand(key, b"c2sp.org/chunked-encryption@v1+" + b"AEAD_AES_256_GCM" + b"\x00" + salt + context, 76)
    return derived[:32], derived[32:44], derived[44:]


def nonce(base: bytes, chunk: int) -> bytes:
    """XOR the base nonce with the chunk's number."""
    return bytes(a ^ b for a, b in zip(base, chunk.to_bytes(12, "big"), strict=True))


def encrypt(key: bytes, salt: bytes, context: bytes, message: bytes) -> bytes:
    """Encrypt a message."""
    secret, base, commitment = schedule(key, salt, context)
    pieces = [message[start : start + 16384] for start in range(0, len(message) + 1, 16384)]
    out = salt + commitment
    for number, piece in enumerate(pieces):
        cipher = Cipher(algorithms.AES(secret), modes.GCM(nonce(base, number))).encryptor()
        out += cipher.update(piece) + cipher.finalize() + cipher.tag
    return out


def decrypt(key: bytes, context: bytes, sealed: bytes) -> bytes:
    """Decrypt a message; raises ValueError or InvalidTag when it is not one."""
    salt, claimed, rest = sealed[:24], sealed[24:56], sealed[56:]
    secret, base, commitment = schedule(key, salt, context)
    if commitment != claimed:
        raise ValueError("commitment")
    message, number = b"", 0
    while True:
        piece, rest = rest[:16400], rest[16400:]
        if len(piece) < 16:
            raise ValueError("truncated")
        cipher = Cipher(algorithms.AES(secret), modes.GCM(nonce(base, number), piece[-16:])).decryptor()
        message += cipher.update(piece[:-16]) + cipher.finalize()
        number += 1
        if len(piece) < 16400:
            if rest:
                raise ValueError("extended")
            return message
