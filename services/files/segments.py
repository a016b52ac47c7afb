"""Owns one segment at rest: a suite byte, then one encrypted message. Blocks; runs in worker threads.

Suite 0x01 is Cobblestone-256, encrypted by ``cryptography`` and read by ``cobblestone.py``. A segment is bound to its
customer, file, version and place by the message's context. A reader refuses a segment that is not exactly the one its
manifest names, before any byte of it is used.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from cryptography.cobblestone import Cobblestone256Encryptor

from services.files import cobblestone
from services.files.blobs import BlobMissingError
from services.files.cobblestone import CHUNK_BYTES, SALT_BYTES, SEALED_BYTES, DamagedError, Decrypter
from services.files.manifest import Segment

if TYPE_CHECKING:
    from services.files.blobs import BlobStore
    from services.files.cobblestone import Octets

SUITE_COBBLESTONE_256 = 1
BATCH_CHUNKS = 64
BATCH_BYTES = BATCH_CHUNKS * CHUNK_BYTES
_PREFIX_BYTES = 1 + cobblestone.HEADER_BYTES


def stored_length(length: int) -> int:
    """Return the length of the blob that holds a segment of that many plaintext bytes."""
    return 1 + cobblestone.sealed_length(length)


class SegmentWriter:
    """Encrypts, hashes and counts in one pass, into a new blob."""

    def __init__(self, blobs: BlobStore, blob: str, length: int, key: bytes, context: bytes) -> None:
        """Begin a blob for a segment that is announced to be ``length`` bytes long; its salt is made here, anew."""
        self._name, self._length = blob, 0
        self._digest = hashlib.sha256()
        self._encryptor = Cobblestone256Encryptor(key, context)
        header = self._encryptor.update(b"")
        self._commitment = header[SALT_BYTES:]
        self._blob = blobs.create(blob, stored_length(length))
        try:
            self._blob.write(bytes((SUITE_COBBLESTONE_256,)) + header)
        except BaseException:
            self._blob.discard()
            raise

    def write(self, plaintext: Octets) -> None:
        """Take more of the segment."""
        self._digest.update(plaintext)
        self._length += len(plaintext)
        self._blob.write(self._encryptor.update(plaintext))

    def commit(self) -> Segment:
        """End the segment; it is durable on return."""
        self._blob.write(self._encryptor.finalize())
        self._blob.commit()
        return Segment(self._name, self._length, self._commitment, self._digest.digest())

    def discard(self) -> None:
        """Forget everything written."""
        self._blob.discard()


class SegmentReader:
    """Reads any part of a segment; every byte given out has been authenticated."""

    def __init__(self, blobs: BlobStore, segment: Segment, key: bytes, context: bytes) -> None:
        """Open the segment's blob.

        Raises:
            DamagedError: The blob is missing, or is not this segment, whole and unchanged in length.
        """
        try:
            self._blob = blobs.open(segment.blob)
        except BlobMissingError:
            raise DamagedError from None
        try:
            self._decrypter = self._decrypter_of(segment, key, context)
        except BaseException:
            self._blob.close()
            raise
        self._last = segment.length // CHUNK_BYTES
        self._length = segment.length

    def read(self, start: int, stop: int) -> memoryview:
        """Return plaintext from ``start`` on: up to ``stop``, or to the end of a batch of chunks where that is nearer.

        Raises:
            DamagedError: The stored bytes are not authentic.
        """
        first = start // CHUNK_BYTES
        after = min(first + BATCH_CHUNKS, (min(stop, self._length) + CHUNK_BYTES - 1) // CHUNK_BYTES)
        plaintext = self._chunks(first, max(after, first + 1))
        base = first * CHUNK_BYTES
        return memoryview(plaintext)[start - base : stop - base]

    def probe(self, chunk: int) -> None:
        """Authenticate one chunk.

        Raises:
            DamagedError: It is not authentic.
        """
        chunk %= self._last + 1
        self._chunks(chunk, chunk + 1)

    @property
    def chunks(self) -> int:
        """How many chunks there are."""
        return self._last + 1

    def close(self) -> None:
        """Let go of the blob."""
        self._blob.close()

    def _decrypter_of(self, segment: Segment, key: bytes, context: bytes) -> Decrypter:
        prefix = self._blob.read_at(0, _PREFIX_BYTES)
        if self._blob.length != stored_length(segment.length) or prefix[:1] != bytes((SUITE_COBBLESTONE_256,)):
            raise DamagedError
        decrypter = Decrypter(key, prefix[1:], context)
        if not hmac.compare_digest(decrypter.commitment, segment.commitment):
            raise DamagedError
        return decrypter

    def _chunks(self, first: int, after: int) -> bytearray:
        sealed = self._blob.read_at(_PREFIX_BYTES + first * SEALED_BYTES, (after - first) * SEALED_BYTES)
        return self._decrypter.chunks(first, sealed, final=after > self._last)
