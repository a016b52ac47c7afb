"""Proofs against RFC 6962's own definitions, for both programs that check them, and beside another people's client."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import cache
from hashlib import sha256

import pytest
from tlog_scales.tlog import ConsistencyProof, InclusionProof

from deploy.cli.verify import tree as verifier
from deploy.cli.verify.note import BadError
from services.audit import merkle
from services.audit.merkle import ProofError
from services.audit.tree import Edge
from tests.unit.audit.memory import Memory

pytestmark = pytest.mark.clause("P5")
SIZES, EVERY = 600, 64
ENTRIES = [index.to_bytes(33) for index in range(SIZES)]
LEAVES = [sha256(b"\x00" + entry).digest() for entry in ENTRIES]


def split(count: int) -> int:
    """The largest power of two smaller than `count`."""
    k = 1
    while k * 2 < count:
        k *= 2
    return k


@cache
def mth(start: int, end: int) -> bytes:
    """RFC 6962 §2.1: the Merkle tree hash of leaves start..end-1."""
    if start == end:
        return sha256(b"").digest()
    if end - start == 1:
        return LEAVES[start]
    k = split(end - start)
    return sha256(b"\x01" + mth(start, start + k) + mth(start + k, end)).digest()


def path(m: int, start: int, end: int) -> list[bytes]:
    """RFC 6962 §2.1.1: PATH(m, D[start:end])."""
    if end - start == 1:
        return []
    k = split(end - start)
    if m < k:
        return [*path(m, start, start + k), mth(start + k, end)]
    return [*path(m - k, start + k, end), mth(start, start + k)]


def subproof(m: int, start: int, end: int, *, whole: bool) -> list[bytes]:
    """RFC 6962 §2.1.2: SUBPROOF(m, D[start:end], whole)."""
    if m == end - start:
        return [] if whole else [mth(start, end)]
    k = split(end - start)
    if m <= k:
        return [*subproof(m, start, start + k, whole=whole), mth(start + k, end)]
    return [*subproof(m - k, start + k, end, whole=False), mth(start, start + k)]


@pytest.fixture(scope="module")
def tiles() -> Memory:
    """Tiles of a log that published every size."""
    memory, edge = Memory(), Edge()
    for entry in ENTRIES:
        growth = edge.grow([entry])
        memory.put(growth.files)
        edge = growth.edge
        assert edge.root() == mth(0, edge.size)
    return memory


def chosen(size: int, chance: random.Random) -> Sequence[int]:
    """Every number below a small size; of larger ones the edges, those around tiles' ends, and some at random."""
    if size <= EVERY:
        return range(size)
    edges = {0, 1, size // 2, size - 2, size - 1, 255, 256, 257, 511, 512, *(chance.randrange(size) for _ in range(4))}
    return sorted(number for number in edges if number < size)


def holds(old: int | None, at: int, size: int, proof: list[bytes], first: bytes, last: bytes) -> list[bool]:
    """Ask all three programs: the service, the verifier, tlog-scales. `old` is None for an inclusion proof."""
    answers = []
    try:
        if old is None:
            merkle.check_inclusion(first, at, size, proof, last)
        else:
            merkle.check_consistency(old, size, proof, first, last)
        answers.append(True)
    except ProofError:
        answers.append(False)
    try:
        if old is None:
            verifier.require_inclusion(first, at, size, proof, last)
        else:
            verifier.require_consistency(old, size, proof, first, last)
        answers.append(True)
    except BadError:
        answers.append(False)
    try:
        if old is None:
            InclusionProof(at, size, list(proof)).check(first, last)
        else:
            ConsistencyProof(old, size, list(proof)).check(first, last)
        answers.append(True)
    except Exception:  # noqa: BLE001 - whatever it says no with
        answers.append(False)
    return answers


async def test_inclusion_at_every_size(tiles: Memory) -> None:
    chance = random.Random(1)
    for size in range(1, SIZES + 1):
        reader, root = tiles.reader(size), mth(0, size)
        assert await reader.root() == root == verifier.root(LEAVES[:size])
        for index in chosen(size, chance):
            proof = await reader.inclusion(index)
            assert proof == path(index, 0, size)
            assert holds(None, index, size, proof, LEAVES[index], root) == [True, True, True], (index, size)


async def test_consistency_of_every_pair(tiles: Memory) -> None:
    chance = random.Random(2)
    for size in range(1, SIZES + 1):
        reader, root = tiles.reader(size), mth(0, size)
        for old in [*chosen(size, chance), size]:
            proof = await reader.consistency(old)
            assert proof == (subproof(old, 0, size, whole=True) if 0 < old < size else [])
            assert holds(old, 0, size, proof, mth(0, old), root) == [True, True, True], (old, size)


def bent(proof: list[bytes], chance: random.Random) -> Iterator[list[bytes]]:
    """Each element with one bit of it changed, elements left out, repeated, exchanged and added."""
    for at, node in enumerate(proof):
        bit = chance.randrange(256)
        yield [*proof[:at], (int.from_bytes(node) ^ 1 << bit).to_bytes(32), *proof[at + 1 :]]
        yield [*proof[:at], *proof[at + 1 :]]
        yield [*proof[:at], node, *proof[at:]]
        if at and proof[at - 1] != node:
            yield [*proof[: at - 1], node, proof[at - 1], *proof[at + 1 :]]
    yield [*proof, bytes(32)]
    yield [bytes(32), *proof]


def test_no_changed_proof_holds() -> None:
    chance = random.Random(3)
    for size in [*range(1, 24), 63, 64, 65, 127, 129, 255, 256, 257, 300, 511, 513, 600]:
        root = mth(0, size)
        for index in {0, size - 1, chance.randrange(size)}:
            for bad in bent(path(index, 0, size), chance):
                assert holds(None, index, size, bad, LEAVES[index], root) == [False, False, False], (index, size)
        for old in {number for number in (1, size - 1, chance.randrange(size)) if 0 < number < size}:
            for bad in bent(subproof(old, 0, size, whole=True), chance):
                assert holds(old, 0, size, bad, mth(0, old), root) == [False, False, False], (old, size)


def test_no_proof_holds_for_another_place_or_root() -> None:
    chance = random.Random(4)
    for size in (2, 3, 5, 8, 64, 100, 257, 600):
        root, index, old = mth(0, size), chance.randrange(size), chance.randrange(1, size)
        proof, consistency = path(index, 0, size), subproof(old, 0, size, whole=True)
        for other in {(index + 1) % size, size, size + 1, -1} - {index}:
            assert not any(holds(None, other, size, proof, LEAVES[index], root)[:2])
        for leaf, against in ((LEAVES[index - 1], root), (LEAVES[index], mth(0, size - 1)), (bytes(32), root)):
            assert not any(holds(None, index, size, proof, leaf, against))
        for first, last in ((mth(0, old - 1), root), (mth(0, old), mth(0, size - 1)), (root, mth(0, old))):
            assert not any(holds(old, 0, size, consistency, first, last))
        assert not any(holds(size + 1, 0, size, consistency, root, root))


def test_equal_and_empty_trees() -> None:
    empty, one = mth(0, 0), mth(0, 1)
    for old, new, proof, first, last, expected in (
        (3, 3, [], mth(0, 3), mth(0, 3), True),
        (3, 3, [], mth(0, 3), mth(0, 2), False),
        (3, 3, [one], mth(0, 3), mth(0, 3), False),
        (0, 3, [], empty, mth(0, 3), True),
        (0, 3, [], one, mth(0, 3), False),
        (0, 3, [one], empty, mth(0, 3), False),
        (0, 0, [], empty, empty, True),
        (2, 3, [], mth(0, 2), mth(0, 3), False),
    ):
        assert holds(old, 0, new, proof, first, last) == [expected] * 3, (old, new)
