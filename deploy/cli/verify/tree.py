"""Merkle trees as a verifier needs them (RFC 6962 §2.1, RFC 9162 §2.1.3.2 and §2.1.4.2).

Owns the hashing: roots, inclusion and consistency. Knows no files.
"""

from collections.abc import Sequence
from hashlib import sha256

from deploy.cli.verify.note import BadError

HASH_BYTES = 32
EMPTY = sha256(b"").digest()


def leaf(entry: bytes) -> bytes:
    """Hash an entry."""
    return sha256(b"\x00" + entry).digest()


def node(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees."""
    return sha256(b"\x01" + left + right).digest()


def root(hashes: Sequence[bytes]) -> bytes:
    """Return the root over adjacent subtrees of one height, the last of which may be smaller."""
    level = list(hashes)
    if not level:
        return EMPTY
    while len(level) > 1:
        pairs = [sha256(b"\x01" + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
        level = [*pairs, level[-1]] if len(level) % 2 else pairs
    return level[0]


def require_inclusion(hashed: bytes, index: int, size: int, proof: Sequence[bytes], expected: bytes) -> None:
    """Check that the proof puts the leaf at `index` of the tree of `size` under the root `expected`."""
    if not 0 <= index < size:
        raise BadError("the checkpoint does not cover the entry")
    fn, sn, value = index, size - 1, hashed
    for sibling in proof:
        if sn == 0:
            raise BadError("the proof is too long")
        if fn & 1 or fn == sn:
            value = node(sibling, value)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            value = node(value, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn or value != expected:
        raise BadError("the proof does not lead from the event to the signed root")


def require_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Check that the tree of `new` entries begins with the tree of `old` entries."""
    if not 0 <= old <= new:
        raise BadError("the second tree is smaller than the first")
    if old in (0, new):
        if proof or old_root != (new_root if old else EMPTY) or (old == new and old_root != new_root):
            raise BadError("the two trees differ")
        return
    path = [*([old_root] if old & (old - 1) == 0 else []), *proof]
    if not path:
        raise BadError("the proof is too short")
    if _climb(old, new, path) != (old_root, new_root):
        raise BadError("the second tree does not begin with the first")


def _climb(old: int, new: int, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return the two roots that a consistency proof leads to."""
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    first = second = path[0]
    for sibling in path[1:]:
        if sn == 0:
            raise BadError("the proof is too long")
        if fn & 1 or fn == sn:
            first, second = node(sibling, first), node(sibling, second)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            second = node(second, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise BadError("the proof is too short")
    return first, second
