"""Hashing and proofs, against a plain recursive reading of RFC 6962."""

from __future__ import annotations

import random
from hashlib import sha256

import pytest

from services.audit import merkle
from services.audit.merkle import ProofError
from services.audit.tree import Edge, TreeReader
from tests.unit.audit.memory import Memory

SIZES = 600
ENTRIES = [index.to_bytes(33) for index in range(SIZES)]


def mth(hashes: list[bytes]) -> bytes:
    """RFC 6962 §2.1, word for word."""
    if not hashes:
        return sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return sha256(b"\x01" + mth(hashes[:k]) + mth(hashes[k:])).digest()


LEAVES = [sha256(b"\x00" + entry).digest() for entry in ENTRIES]


@pytest.fixture(scope="module")
def trees() -> tuple[Memory, list[bytes]]:
    """Tiles of a log that published every size, and the root of each by the reference."""
    memory, edge, roots = Memory(), Edge(), [mth([])]
    for entry in ENTRIES:
        growth = edge.grow([entry])
        memory.put(growth.files)
        edge = growth.edge
        roots.append(mth(LEAVES[: edge.size]))
        assert edge.root() == roots[-1], edge.size
    return memory, roots


async def test_proofs_from_tiles_hold_at_every_size(trees: tuple[Memory, list[bytes]]) -> None:
    memory, roots = trees
    chosen = random.Random(1)
    for size in range(1, SIZES + 1):
        reader = TreeReader(memory, size)
        assert await reader.root() == roots[size]
        indexes = range(size) if size <= 40 else {0, size // 2, size - 1, chosen.randrange(size)}
        for index in indexes:
            merkle.check_inclusion(LEAVES[index], index, size, await reader.inclusion(index), roots[size])
        olds = range(size + 1) if size <= 40 else {0, 1, 256, size - 1, size, chosen.randrange(size)}
        for old in olds:
            if old <= size:
                proof = await reader.consistency(old)
                merkle.check_consistency(old, size, proof, roots[old], roots[size])


async def test_no_tampered_proof_holds(trees: tuple[Memory, list[bytes]]) -> None:
    memory, roots = trees
    chosen = random.Random(2)
    for size in (2, 3, 7, 255, 256, 257, 300, 600):
        reader, index, old = TreeReader(memory, size), chosen.randrange(size), chosen.randrange(1, size)
        inclusion, consistency = await reader.inclusion(index), await reader.consistency(old)
        for bad in _bent(inclusion):
            with pytest.raises(ProofError):
                merkle.check_inclusion(LEAVES[index], index, size, bad, roots[size])
        for bad in _bent(consistency):
            with pytest.raises(ProofError):
                merkle.check_consistency(old, size, bad, roots[old], roots[size])
        with pytest.raises(ProofError):
            merkle.check_inclusion(LEAVES[index], (index + 1) % size, size, inclusion, roots[size])
        with pytest.raises(ProofError):
            merkle.check_inclusion(LEAVES[index], index, size, inclusion, roots[size - 1])
        with pytest.raises(ProofError):
            merkle.check_consistency(old, size, consistency, roots[old - 1], roots[size])


def _bent(proof: list[bytes]) -> list[list[bytes]]:
    flipped = [[*proof[:i], bytes([node[0] ^ 1]) + node[1:], *proof[i + 1 :]] for i, node in enumerate(proof)]
    return [*flipped, proof[:-1], [*proof, bytes(32)], [*proof, proof[-1]]]


@pytest.mark.parametrize("index,size", [(-1, 1), (1, 1), (0, 0), (5, 3)])
def test_a_leaf_outside_the_tree_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(ProofError):
        merkle.inclusion_spans(index, size)
    with pytest.raises(ProofError):
        merkle.check_inclusion(bytes(32), index, size, [], bytes(32))


@pytest.mark.parametrize("old,new", [(2, 1), (-1, 1)])
def test_no_tree_begins_with_a_larger_one(old: int, new: int) -> None:
    with pytest.raises(ProofError):
        merkle.consistency_spans(old, new)
    with pytest.raises(ProofError):
        merkle.check_consistency(old, new, [], bytes(32), bytes(32))


def test_equal_sizes_are_consistent_only_when_equal() -> None:
    merkle.check_consistency(3, 3, [], bytes(32), bytes(32))
    with pytest.raises(ProofError):
        merkle.check_consistency(3, 3, [], bytes(32), b"\x01" * 32)
    merkle.check_consistency(0, 3, [], merkle.EMPTY_ROOT, bytes(32))
    with pytest.raises(ProofError):
        merkle.check_consistency(0, 3, [], bytes(32), bytes(32))
    with pytest.raises(ProofError):
        merkle.check_consistency(2, 3, [], bytes(32), bytes(32))
