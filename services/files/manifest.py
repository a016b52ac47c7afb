"""Owns what a published file consists of: an ordered list of segments, and its encoding. Must never hold a key.

Encoding, version 1, all numbers big-endian: the byte 0x01, the number of segments (4 bytes), then for each segment the
name of its blob (16 bytes), its length in plaintext bytes (8), its key commitment (32) and the SHA-256 of its
plaintext (32). The commitment ties the entry to one encryption, so that not even an older ciphertext of the same
segment can take its place. The encoding is only ever stored sealed.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.files.cobblestone import DamagedError

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMAT = 1
_HEAD = struct.Struct(">BI")
_SEGMENT = struct.Struct(">16sQ32s32s")


@dataclass(frozen=True)
class Segment:
    """One encrypted message: where it is, how long its plaintext is, and what it must be."""

    blob: str
    length: int
    commitment: bytes
    digest: bytes


@dataclass(frozen=True)
class Span:
    """A run of bytes ``start <= i < stop`` within one segment."""

    index: int
    start: int
    stop: int


@dataclass(frozen=True)
class Manifest:
    """The segments of a file, in order."""

    segments: tuple[Segment, ...]

    @property
    def length(self) -> int:
        """The file's length in bytes."""
        return sum(segment.length for segment in self.segments)

    def spans(self, start: int, stop: int) -> Iterator[Span]:
        """Yield where the bytes ``start <= i < stop`` of the file lie, in order."""
        base = 0
        for index, segment in enumerate(self.segments):
            first, last = max(start - base, 0), min(stop - base, segment.length)
            if first < last:
                yield Span(index, first, last)
            base += segment.length

    def encode(self) -> bytes:
        """Return the encoding."""
        parts = [_HEAD.pack(FORMAT, len(self.segments))]
        parts += [_SEGMENT.pack(bytes.fromhex(s.blob), s.length, s.commitment, s.digest) for s in self.segments]
        return b"".join(parts)

    @classmethod
    def decode(cls, data: bytes) -> Manifest:
        """Read an encoding.

        Raises:
            DamagedError: It is not a whole encoding of a known version.
        """
        if len(data) < _HEAD.size:
            raise DamagedError
        version, count = _HEAD.unpack_from(data)
        if version != FORMAT or len(data) != _HEAD.size + count * _SEGMENT.size:
            raise DamagedError
        entries = _SEGMENT.iter_unpack(data[_HEAD.size :])
        return cls(
            tuple(Segment(blob.hex(), length, commitment, digest) for blob, length, commitment, digest in entries)
        )
