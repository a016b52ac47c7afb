"""A pruned log, as whoever has a copy of what it serves sees it: what it said that it withdrew is missing, no more."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from deploy.cli.verify.log import roots
from deploy.cli.verify.note import BadError, Checkpoint
from services.audit import merkle
from services.audit.checkpoint import open_checkpoint
from services.audit.event import Source, canonical
from services.audit.receipt import Opening, write
from services.audit.retention.minimum import SAID_AGAIN
from services.audit.retention.policy import RetentionConfig
from services.audit.tiles import ENTRIES, WIDTH, Tile, join_entries, join_hashes, split_entries, split_hashes, tile_at
from services.audit.tree import Edge, TreeReader
from services.kit.event import Actor, ActorKind
from tests.unit.audit.exporting import Collector, advance, drain, exporter, relay
from tests.unit.audit.test_holds import recorded
from tests.unit.audit.test_verify import verify
from tests.unit.audit.world import ORIGIN, World

pytestmark = pytest.mark.clause("P5", "PCI DSS 10.3.4")
PRUNING = RetentionConfig(prune=True)
MINIMUM = 512
DAY = timedelta(days=1).total_seconds()


async def always() -> bool:
    return True


@dataclass
class Pruned:
    """What a log serves that has withdrawn its first 512 entries of some 1,000: a copy of it."""

    world: World
    root: Path
    before: bytes
    """The checkpoint when nothing was withdrawn yet."""
    first: bytes
    """What was said when 256 entries were withdrawn."""

    def tile(self, name: str) -> Path:
        return self.root / "tile" / name

    def flip(self, name: str, at: int = 40) -> None:
        data = bytearray(self.tile(name).read_bytes())
        data[at] ^= 1
        self.tile(name).write_bytes(data)

    def say(self, statement: bytes) -> None:
        (self.root / "minimum-index").write_bytes(statement)

    @property
    def said(self) -> bytes:
        return (self.root / "minimum-index").read_bytes()

    def bring_back(self, name: str) -> None:
        """Put a tile in that the log has withdrawn, as an older copy would have it."""
        self.tile(name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.world.folder / "log/tile" / name, self.tile(name))

    def verdict(self) -> int:
        return verify(self.root, key=self.world.signer.verifier.vkey)


async def copied(world: World, root: Path, size: int = 0) -> Path:
    """Copy what the log serves, of an older tree if given."""
    minimum, size = world.minimum(prune=True), size or (await world.signed()).size
    await asyncio.to_thread(root.mkdir)
    shutil.copy(world.folder / "log/checkpoint", root)
    (root / "minimum-index").write_bytes(await minimum.statement())
    for level in (ENTRIES, 0, 1):
        for index in range(-(-(size >> (8 * max(level, 0))) // WIDTH)):
            tile = tile_at(level, index, size)
            if not await minimum.hides(tile):
                (root / "tile" / tile.path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(world.folder / "log/tile" / tile.path, root / "tile" / tile.path)
    return root


@pytest.fixture
async def pruned(world: World, tmp_path: Path) -> Pruned:
    anna = world.ids.new("usr")
    await world.fill(300, anna)
    await world.sign()
    world.clock.advance(100 * DAY)
    await world.fill(400, anna)
    await world.sign()
    world.clock.advance(300 * DAY)
    await world.sweeper(PRUNING).sweep(always)
    await relay(world)
    await advance(world)
    first = await world.minimum(prune=True).statement()
    world.clock.advance(100 * DAY)
    await world.fill(300, anna)
    await advance(world)
    before = (world.folder / "log/checkpoint").read_bytes()
    await world.sweeper(PRUNING).sweep(always)
    await relay(world)
    await advance(world)
    return Pruned(world, await copied(world, tmp_path / "copy"), before, first)


def test_a_pruned_log_is_whole_from_its_minimum_on(pruned: Pruned, capsys: pytest.CaptureFixture[str]) -> None:
    assert not pruned.tile("entries/000").exists()
    assert not pruned.tile("0/001").exists()
    assert pruned.verdict() == 0
    said = capsys.readouterr().out
    assert said.startswith(f"OK   {pruned.root}: log {ORIGIN}: all 100")
    assert "checked from index 512 on, those before were withdrawn by the log, as its entry 100" in said
    assert verify(pruned.root, "--json", key=pruned.world.signer.verifier.vkey) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["minimum"] == MINIMUM
    assert facts["saidAt"] >= 1000


async def test_nothing_is_withdrawn_before_the_signed_log_says_so(world: World) -> None:
    minimum = world.minimum(prune=True)
    await world.fill(600, world.ids.new("usr"))
    await world.sign()
    world.clock.advance(400 * DAY)
    await world.sweeper(PRUNING).sweep(always)
    assert (await world.sweeps.state()).minimum == MINIMUM
    assert (await minimum.index(), await minimum.statement()) == (0, b"0\n")
    await relay(world)
    assert (await minimum.index(), await minimum.statement()) == (0, b"0\n")
    await advance(world)
    assert await minimum.index() == MINIMUM
    assert (await minimum.statement()).startswith(b"512\n\nc2sp.org/tlog-proof@v1\nextra ")
    assert await world.minimum(prune=False).statement() == b"0\n"


async def test_the_log_says_again_what_it_withdrew_before_that_is_forgotten(world: World) -> None:
    await world.fill(600, world.ids.new("usr"))
    await world.sign()
    world.clock.advance(400 * DAY)
    for _ in range(500):
        await world.sweeper(PRUNING).sweep(always)
        await relay(world)
        await advance(world)
        world.clock.advance(DAY)
        assert (await world.minimum(prune=True).statement()).startswith(b"%d\n\nc2sp.org" % MINIMUM)
    said = [entry.details.count for entry in await recorded(world, "audit.retention.prune")]
    assert said.count(MINIMUM) == -(-500 // SAID_AGAIN.days)


async def test_a_clock_that_was_ahead_keeps_the_log_from_saying_it_no_longer(world: World) -> None:
    async def day(days: float) -> bytes:
        world.clock.advance(days * DAY)
        await world.sweeper(PRUNING).sweep(always)
        statement = await world.minimum(prune=True).statement()
        await relay(world)
        await advance(world)
        return statement

    await world.fill(600, world.ids.new("usr"))
    await world.sign()
    await day(400)
    assert (await day(100)).startswith(b"512\n"), "what is not said again yet was said"
    world.clock.set(world.clock.now() - timedelta(days=100))
    before = len(await recorded(world, "audit.retention.prune"))
    for _ in range(80):
        assert (await day(1)).startswith(b"512\n")
    said = await recorded(world, "audit.retention.prune")
    assert len(said) - before == 80 // SAID_AGAIN.days
    newest = await world.sweeps.said((await world.signed()).size)
    assert newest is not None
    assert newest.event_id == said[-1].event_id


def _raise(pruned: Pruned) -> None:
    """Withdraw another bundle, and write a larger number over what the log said."""
    pruned.say(pruned.said.replace(b"512", b"768", 1))
    for name in ("entries/002", "0/002"):
        pruned.tile(name).unlink()


def _older(pruned: Pruned) -> None:
    pruned.say(pruned.first)


def _rewrite(pruned: Pruned) -> None:
    """Change an entry that is kept, and the hash beside it."""
    entries = split_entries(pruned.tile("entries/002").read_bytes())
    entries[3] = bytes(33)
    pruned.tile("entries/002").write_bytes(join_entries(entries))
    pruned.tile("0/002").write_bytes(join_hashes([merkle.leaf_hash(entry) for entry in entries]))


def _another(pruned: Pruned) -> None:
    """Bring a bundle back that is not what was withdrawn."""
    pruned.bring_back("entries/001")
    pruned.flip("entries/001")


CASES: dict[str, Callable[[Pruned], object]] = {
    "nothing said": lambda pruned: (pruned.root / "minimum-index").unlink(),
    "said to be nothing": lambda pruned: pruned.say(b"0\n"),
    "a number without the entry": lambda pruned: pruned.say(b"512\n"),
    "a number that the entry does not say": _raise,
    "an older entry, of less": _older,
    "a receipt with more after it": lambda pruned: pruned.say(pruned.said + b"x"),
    "a bundle above the minimum deleted": lambda pruned: pruned.tile("entries/002").unlink(),
    "a tile above the minimum deleted": lambda pruned: pruned.tile("0/002").unlink(),
    "the hashes of what was withdrawn deleted": lambda pruned: pruned.tile("1/000.p/3").unlink(),
    "the hashes of what was withdrawn flipped": lambda pruned: pruned.flip("1/000.p/3"),
    "a kept entry changed": _rewrite,
    "another bundle in place of a withdrawn one": _another,
    "bytes at a withdrawn place": lambda pruned: pruned.tile("0/000").write_bytes(bytes(WIDTH * 32)),
}


@pytest.mark.parametrize("case", CASES)
def test_whoever_has_a_copy_finds_it(pruned: Pruned, case: str) -> None:
    assert pruned.verdict() == 0
    CASES[case](pruned)
    assert pruned.verdict() == 1


def test_no_changed_bit_of_what_is_said_passes(pruned: Pruned) -> None:
    said = pruned.said
    for at in range(0, len(said), 3):
        pruned.say(said[:at] + bytes([said[at] ^ 1]) + said[at + 1 :])
        assert pruned.verdict() == 1, at


@pytest.mark.parametrize("producer", ["files", "audit"])
async def test_nothing_else_says_that_the_log_withdrew_something(pruned: Pruned, producer: str) -> None:
    """Another service's event of that name does not, nor one of the log's own that says something else."""
    world = pruned.world
    action = "audit.retention.prune" if producer == "files" else "audit.retention.sweep"
    event = world.event(action=action, details={"count": 768})
    await world.append(event, producer=producer)
    await advance(world)
    for name in ("entries/002", "0/002"):
        pruned.tile(name).unlink()
    pruned.say(b"768\n\n" + await world.activity.evidence(event.id))
    assert pruned.verdict() == 1


@pytest.mark.parametrize("more", [-20, 0, 5])
async def test_an_entry_of_another_tree_that_the_log_signed_is_not_believed(pruned: Pruned, more: int) -> None:
    """Whoever has the log's key could sign that it withdrew more, elsewhere than in this log."""
    world = pruned.world
    size = (await world.signed()).size
    event = world.event(action="audit.retention.prune", details={"count": 768}, actor=Actor(ActorKind.SERVICE, "audit"))
    opening = Opening(bytes(32), canonical(event, Source("audit", world.epochs["audit"], 99)))
    entries = await world.records.entries(0, size)
    forged = [*entries[:900], opening.entry, *entries[901:], *[bytes(33)] * more][: size + more]
    hashes = [merkle.leaf_hash(entry) for entry in forged]
    note = world.signer.sign(f"{ORIGIN}\n{len(forged)}\n{base64.b64encode(merkle.root(hashes)).decode()}\n")
    proof = [merkle.root(hashes[span.start : span.end]) for span in merkle.inclusion_spans(900, len(forged))]
    receipt = write(opening, 900, proof, note, open_checkpoint(note, world.signer.verifier))
    for name in ("entries/002", "0/002"):
        pruned.tile(name).unlink()
    pruned.say(b"768\n\n" + receipt)
    assert pruned.verdict() == 1


def test_what_is_left_of_what_was_withdrawn_is_checked_too(pruned: Pruned) -> None:
    for name in ("entries/001", "0/000", "0/001", "entries/000"):
        pruned.bring_back(name)
        assert pruned.verdict() == 0, name


async def test_a_copy_that_was_begun_before_the_log_said_so_is_left_open_until_the_newer_tree_is_shown_to_continue_it(
    pruned: Pruned, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world, key = pruned.world, pruned.world.signer.verifier.vkey
    size, newer = int(pruned.before.split(b"\n")[1]), (await pruned.world.signed()).size
    older = await copied(world, tmp_path / "older", size)
    (older / "checkpoint").write_bytes(pruned.before)
    assert verify(older, key=key) == 2
    told = capsys.readouterr().out
    assert "of a newer tree says" in told
    assert f"OPEN {older}: that the tree of {newer} entries continues that of {size} was not shown" in told
    assert verify(older / "checkpoint", "--log", older, key=key) == 2

    lines = [base64.b64encode(each).decode() for each in await TreeReader(world.tiles, newer).consistency(size)]
    note = (world.folder / "log/checkpoint").read_bytes()
    for hashes, code in ((lines, 0), (lines[::-1], 1)):
        (proof := tmp_path / "proof").write_bytes("\n".join([f"old {size}", *hashes, "", ""]).encode() + note)
        assert verify(older, proof, key=key) == code
        assert verify(older / "checkpoint", proof, "--log", older, key=key) == 1, "the proof's tree is beyond this copy"
    assert verify(older, "--log", pruned.root, key=key) == 0


async def test_a_receipt_between_two_checkpoints_does_not_tie_them(pruned: Pruned, tmp_path: Path) -> None:
    world, old, new = pruned.world, tmp_path / "old", tmp_path / "new"
    root = merkle.root([merkle.leaf_hash(entry) for entry in await world.records.entries(0, 600)])
    old.write_bytes(world.signer.sign(f"{ORIGIN}\n600\n{base64.b64encode(root).decode()}\n"))
    new.write_bytes(pruned.before)
    (between := tmp_path / "said.tlog-proof").write_bytes(pruned.first.partition(b"\n\n")[2])
    assert verify(old, new, between, key=world.signer.verifier.vkey) == 2


async def test_checkpoints_are_compared_where_the_log_still_tells(pruned: Pruned, tmp_path: Path) -> None:
    world, key = pruned.world, pruned.world.signer.verifier.vkey
    entries = await world.records.entries(0, 700)
    hashes = [merkle.leaf_hash(entry) for entry in entries]
    for size, code in ((300, 2), (MINIMUM, 0), (513, 0), (700, 0)):
        for forged in (False, True):
            head = bytes(32) if forged else merkle.root(hashes[:size])
            path = tmp_path / f"head-{size}-{forged}"
            path.write_bytes(world.signer.sign(f"{ORIGIN}\n{size}\n{base64.b64encode(head).decode()}\n"))
            assert verify(path, "--log", pruned.root, key=key) == (1 if forged and not code else code), (size, forged)


async def test_an_export_is_compared_with_a_pruned_log(pruned: Pruned, tmp_path: Path) -> None:
    world, key, sink = pruned.world, pruned.world.signer.verifier.vkey, Collector()
    await drain(exporter(world, sink, limit=256))
    whole, part, later = (tmp_path / f"{name}.jsonl" for name in ("whole", "part", "later"))
    whole.write_bytes(b"".join(sink.taken))
    part.write_bytes(b"".join(sink.taken[1:]))
    later.write_bytes(b"".join(sink.taken[2:]))
    for path, code in ((whole, 0), (part, 2), (later, 0)):
        assert verify(path, "--log", pruned.root, key=key) == code, path
    lines = later.read_bytes().splitlines(keepends=True)
    record = json.loads(lines[5])
    record["unmapped"]["valv"]["log"]["leaf_hash"] = bytes(32).hex()
    later.write_bytes(b"".join([*lines[:5], json.dumps(record).encode() + b"\n", *lines[6:]]))
    assert verify(later, "--log", pruned.root, key=key) == 1


class Held:
    """A log's files in memory."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    def read(self, name: str, most: int) -> bytes | None:
        data = self.files.get(name)
        assert data is None or len(data) <= most
        return data

    def names(self) -> Iterator[str]:
        yield from self.files


@dataclass
class Large:
    """A log of more than two full tiles of the second level."""

    hashes: list[bytes]
    files: dict[Tile, bytes]


@pytest.fixture(scope="module")
def large() -> Large:
    entries = [b"\x01" + index.to_bytes(32) for index in range(132_000)]
    return Large([merkle.leaf_hash(entry) for entry in entries], Edge().grow(entries).files)


@pytest.mark.parametrize("minimum", [0, 256, 65_280, 65_536, 65_792, 65_900, 131_072, 131_840])
def test_what_a_large_log_serves_is_enough_at_any_minimum(large: Large, minimum: int) -> None:
    """Above 65,536, whole tiles of the level above are withdrawn as well."""
    size = len(large.hashes)
    kept = {f"tile/{tile.path}": data for tile, data in large.files.items() if tile.end > minimum}
    head = Checkpoint(ORIGIN, size, merkle.root(large.hashes))
    sizes = [1, 300, 65_536, 65_800, 65_901, 131_072, 131_840, size]
    found = roots(Held(kept), head, sizes, minimum=minimum)
    assert found.keys() >= {each for each in sizes if each >= minimum}
    for each in found:
        assert found[each] == merkle.root(large.hashes[:each]), each
    for name in sorted(kept)[:: max(1, len(kept) // 4)]:
        with pytest.raises(BadError):
            roots(Held({other: data for other, data in kept.items() if other != name}), head, minimum=minimum)
    above = tile_at(1, 0, size) if minimum < WIDTH**2 else tile_at(2, 0, size)
    forged = join_hashes([bytes(32), *split_hashes(large.files[above])[1:]])
    with pytest.raises(BadError):
        roots(Held(kept | {f"tile/{above.path}": forged}), head, minimum=minimum)


def test_what_cannot_be_compared_has_no_place_in_a_log(large: Large) -> None:
    """A withdrawn tile whose neighbours are not there, nor what is above it."""
    size, minimum = len(large.hashes), 65_792
    head = Checkpoint(ORIGIN, size, merkle.root(large.hashes))
    kept = {f"tile/{tile.path}": data for tile, data in large.files.items() if tile.end > minimum}
    for level, index in ((0, 7), (ENTRIES, 7), (0, 0)):
        left = tile_at(level, index, size)
        with pytest.raises(BadError, match=r"cannot be compared|is missing"):
            roots(Held(kept | {f"tile/{left.path}": large.files[left]}), head, minimum=minimum)
