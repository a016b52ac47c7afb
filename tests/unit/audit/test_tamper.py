"""The tamper matrix: whatever is changed behind the log's back is found by `valv verify` and by the running service.

And whatever it is, nothing is signed that does not extend what was signed before.
"""

from __future__ import annotations

import base64
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.audit import merkle, scrub
from services.audit.checkpoint import open_checkpoint
from services.audit.errors import HaltError
from services.audit.sql_lease import SqlLease
from services.audit.store import ConflictError
from services.audit.tiles import join_entries, join_hashes, split_entries
from services.audit.tree import Edge
from services.kit.faults import Fault
from tests.unit.audit.test_verify import verify
from tests.unit.audit.world import ORIGIN, World

pytestmark = pytest.mark.clause("P5", "PCI DSS 10.3.4", "ASVS 16.4.2")
SIZE, OLD = 600, 300


@dataclass
class Log:
    """A signed log of 600 entries, and what it was at 300."""

    world: World
    old_note: bytes
    new_note: bytes
    entries: list[bytes]

    @property
    def root(self) -> Path:
        return self.world.folder / "log"

    def tile(self, name: str) -> Path:
        return self.root / "tile" / name

    def flip(self, path: Path, at: int = 40) -> None:
        data = path.read_bytes()
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])

    def extend(self, path: Path, more: bytes) -> None:
        path.write_bytes(path.read_bytes() + more)

    def rewrite(self, bundle: int, entries: list[bytes], *, width: int = 0) -> None:
        """Replace a bundle and its hashes together, as somebody would who knows the format and lacks the key."""
        end = f".p/{width}" if width else ""
        self.tile(f"entries/{bundle:03d}{end}").write_bytes(join_entries(entries))
        self.tile(f"0/{bundle:03d}{end}").write_bytes(join_hashes([merkle.leaf_hash(entry) for entry in entries]))

    def bundle(self, number: int) -> list[bytes]:
        return split_entries(self.tile(f"entries/{number:03d}").read_bytes())

    def sql(self, *statements: str) -> None:
        """As somebody would who has the database's file."""
        with closing(sqlite3.connect(self.world.folder / "audit.db")) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    def flip_row(self, column: str, index: int) -> None:
        with closing(sqlite3.connect(self.world.folder / "audit.db")) as connection, connection:
            found = connection.execute(f"SELECT {column} FROM entries WHERE idx = ?", (index,))  # noqa: S608 - the column's name is the test's own
            data = bytearray(found.fetchone()[0])
            data[20] ^= 1
            connection.execute(f"UPDATE entries SET {column} = ? WHERE idx = ?", (bytes(data), index))  # noqa: S608 - the column's name is the test's own

    def copy_row(self, index: int, to: int) -> str:
        """A statement that makes another row of one."""
        with closing(sqlite3.connect(self.world.folder / "audit.db")) as connection:
            names = [row[1] for row in connection.execute("PRAGMA table_info(entries)")]
        values = [{"idx": str(to), "number": "9999", "event_id": "'evt_x'"}.get(name, name) for name in names]
        return f"INSERT INTO entries SELECT {', '.join(values)} FROM entries WHERE idx = {index}"  # noqa: S608 - all of it is ours

    def forged(self, size: int) -> bytes:
        """A head of another tree, signed with the log's own key."""
        return self.world.signer.sign(f"{ORIGIN}\n{size}\n{base64.b64encode(bytes(32)).decode()}\n")

    def sign(self, note: bytes) -> None:
        """Put another note where the last signed checkpoint is kept."""
        with closing(sqlite3.connect(self.world.folder / "checkpoint.db")) as connection, connection:
            connection.execute("UPDATE checkpoint SET note = ?", (note,))


@pytest.fixture
async def log(world: World, monkeypatch: pytest.MonkeyPatch) -> Log:
    monkeypatch.setattr(scrub, "_PAUSE_SECONDS", 0.01)
    await world.fill(OLD - 2)
    await world.fill(2, world.ids.new("usr"))
    await world.sign()
    old = (world.folder / "log/checkpoint").read_bytes()
    await world.fill(SIZE - OLD)
    await world.sign()
    new = (world.folder / "log/checkpoint").read_bytes()
    return Log(world, old, new, await world.records.entries(0, SIZE))


def _insert_row(log: Log) -> None:
    """A row between two others; those after it move up, and the last falls off the end that is known."""
    log.sql(
        "UPDATE entries SET idx = -idx WHERE idx >= 100",
        "UPDATE entries SET idx = 1 - idx WHERE idx < 0",
        log.copy_row(5, to=100),
    )


def _delete_last(log: Log) -> None:
    log.rewrite(2, split_entries(log.tile("entries/002.p/88").read_bytes())[:-1], width=88)


def _delete_two_tiles(log: Log) -> None:
    for name in ("0/000", "0/001", "entries/000", "entries/001"):
        log.tile(name).unlink()


def _insert(log: Log) -> None:
    first, second = log.bundle(0), log.bundle(1)
    log.rewrite(0, [*first[:9], bytes(33), *first[9:-1]])
    log.rewrite(1, [first[-1], *second[:-1]])


def _reorder(log: Log) -> None:
    first = log.bundle(0)
    log.rewrite(0, [first[1], first[0], *first[2:]])


def _append_to_bundle(log: Log) -> None:
    for name in ("entries/002", "0/002"):
        data = log.tile(f"{name}.p/88").read_bytes()
        more = join_entries([bytes(33)]) if name.startswith("e") else merkle.leaf_hash(bytes(33))
        log.tile(f"{name}.p/88").write_bytes(data + more)


def _swap_tiles(log: Log) -> None:
    first, second = log.bundle(0), log.bundle(1)
    log.rewrite(0, second)
    log.rewrite(1, first)


def _forge_everywhere(log: Log) -> None:
    """Another entry, its body taken for erased, in the row, the bundle and the tile: only the tile above disagrees."""
    log.flip_row("entry", 5)
    log.sql("UPDATE entries SET sealed = x'' WHERE idx = 5")
    entries = log.bundle(0)
    entries[5] = entries[5][:20] + bytes([entries[5][20] ^ 1]) + entries[5][21:]
    log.rewrite(0, entries)


def _replace_all(log: Log) -> None:
    """Another whole log under the old head."""
    shutil.rmtree(log.root / "tile")
    for tile, data in Edge().grow([bytes(33), *log.entries[1:]]).files.items():
        path = log.tile(tile.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


PUBLIC: dict[str, Callable[[Log], object]] = {
    "flip in a full tile": lambda log: log.flip(log.tile("0/000")),
    "flip in a partial tile": lambda log: log.flip(log.tile("0/002.p/88")),
    "flip in a tile above": lambda log: log.flip(log.tile("1/000.p/2")),
    "flip in a bundle": lambda log: log.flip(log.tile("entries/001")),
    "flip in a partial bundle": lambda log: log.flip(log.tile("entries/002.p/88")),
    "flip in the checkpoint's root": lambda log: log.flip(log.root / "checkpoint", 24),
    "flip in the checkpoint's signature": lambda log: log.flip(log.root / "checkpoint", -10),
    "last entry deleted": _delete_last,
    "last partial tile deleted": lambda log: log.tile("0/002.p/88").unlink(),
    "two tiles in a row deleted": _delete_two_tiles,
    "entry inserted": _insert,
    "entries reordered": _reorder,
    "entry appended": _append_to_bundle,
    "bytes appended to a full tile": lambda log: log.tile("0/000").write_bytes(
        log.tile("0/000").read_bytes() + bytes(32)
    ),
    "bytes appended to the checkpoint": lambda log: (log.root / "checkpoint").write_bytes(
        (log.root / "checkpoint").read_bytes() + b"\n"
    ),
    "tiles swapped": _swap_tiles,
    "an entry forged in row, bundle and tile": _forge_everywhere,
    "every tile made anew": _replace_all,
    "stale checkpoint": lambda log: (log.root / "checkpoint").write_bytes(log.old_note),
    "no checkpoint": lambda log: (log.root / "checkpoint").unlink(),
}
ROWS: dict[str, Callable[[Log], object]] = {
    "flip in an entry": lambda log: log.flip_row("entry", 300),
    "flip in the last entry": lambda log: log.sql("UPDATE entries SET entry = zeroblob(33) WHERE idx = 599"),
    "last row deleted": lambda log: log.sql("DELETE FROM entries WHERE idx = 599"),
    "last row deleted and uncounted": lambda log: log.sql(
        "DELETE FROM entries WHERE idx = 599", "UPDATE log_state SET size = 599"
    ),
    "two rows in a row deleted": lambda log: log.sql("DELETE FROM entries WHERE idx IN (10, 11)"),
    "row inserted": _insert_row,
    "rows reordered": lambda log: log.sql(
        "UPDATE entries SET idx = -1 WHERE idx = 20",
        "UPDATE entries SET idx = 20 WHERE idx = 21",
        "UPDATE entries SET idx = 21 WHERE idx = -1",
    ),
    "restored old database": lambda log: log.sql(
        "DELETE FROM entries WHERE idx >= 300", "UPDATE log_state SET size = 300", "UPDATE epochs SET highest = 300"
    ),
}
HIDDEN: dict[str, Callable[[Log], object]] = {
    "flip in a sealed body": lambda log: log.flip_row("sealed", 7),
    "row given to another": lambda log: log.sql("UPDATE entries SET subject = 'usr_x' WHERE idx = 299"),
    "row appended after the end": lambda log: log.sql(log.copy_row(5, to=SIZE)),
    "flip in the signed checkpoint": lambda log: log.sign(
        log.new_note[:-8] + _other(log.new_note[-8:-7]) + log.new_note[-7:]
    ),
    "stale signed checkpoint": lambda log: log.sign(log.old_note),
    "second checkpoint of one size": lambda log: (log.root / "checkpoint").write_bytes(log.forged(SIZE)),
}
EVERY = {**PUBLIC, **ROWS, **HIDDEN}


def _other(character: bytes) -> bytes:
    return b"B" if character == b"A" else b"A"


@pytest.mark.parametrize("case", PUBLIC)
async def test_whoever_has_a_copy_finds_it(log: Log, case: str) -> None:
    key = log.world.signer.verifier.vkey
    assert verify(log.root, key=key) == 0
    EVERY[case](log)
    assert verify(log.root, key=key) == 1


@pytest.mark.parametrize("case", ROWS)
async def test_a_copy_made_of_changed_rows_is_not_the_signed_log(log: Log, case: str, tmp_path: Path) -> None:
    EVERY[case](log)
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(log.root / "checkpoint", copy)
    for tile, data in Edge().grow(await log.world.records.entries(0, SIZE + 10)).files.items():
        (copy / "tile" / tile.path).parent.mkdir(parents=True, exist_ok=True)
        (copy / "tile" / tile.path).write_bytes(data)
    assert verify(copy, key=log.world.signer.verifier.vkey) == 1


async def test_a_second_checkpoint_of_one_size_is_proof_for_whoever_has_both(log: Log, tmp_path: Path) -> None:
    key, kept = log.world.signer.verifier.vkey, tmp_path / "kept"
    shutil.copy(log.root / "checkpoint", kept)
    EVERY["second checkpoint of one size"](log)
    assert verify(log.root / "checkpoint", key=key) == 0
    assert verify(kept, log.root / "checkpoint", key=key) == 1
    assert verify(log.root, key=key) == 1


@pytest.mark.parametrize("case", EVERY)
async def test_the_running_service_finds_it(log: Log, case: str) -> None:
    watching = log.world.scrub()
    assert await watching.damage() == 0
    EVERY[case](log)
    assert await watching.damage() > 0
    assert await watching.damage() > 0  # it is not forgotten
    await require_one_tree(log)


@pytest.mark.parametrize("case", EVERY)
async def test_it_is_found_when_the_service_starts(log: Log, case: str) -> None:
    EVERY[case](log)
    log.world.clock.advance(SqlLease.SECONDS + 1)
    assert await _start(log)
    await require_one_tree(log)


async def _start(log: Log) -> bool:
    """Start over the same stores as a new process would; tell whether it halts, or makes good, or finds the damage."""
    world = log.world
    world.sequencer = world.another_sequencer()
    try:
        await world.sequencer.step()
    except HaltError:
        return True
    found = await log.world.scrub().damage() > 0
    return found or world.sequencer.mended > 0 or world.sequencer.recovering


async def require_one_tree(log: Log) -> None:
    """Let the log go on as far as it will: what it signs extends what was signed."""
    world = log.world
    for _ in range(3):
        with suppress(Fault):
            await world.append(world.event())
        with suppress(HaltError, ConflictError):
            await world.sequencer.step()
    stored = await world.checkpoints.load()
    assert stored is not None
    try:
        head = open_checkpoint(stored.note, world.signer.verifier)
    except ValueError:
        return  # it is damaged itself, and halts the log
    if head.size <= SIZE:
        assert head.root == merkle.root([merkle.leaf_hash(entry) for entry in log.entries[: head.size]])
        return
    later = await world.records.entries(SIZE, head.size - SIZE)
    assert head.root == merkle.root([merkle.leaf_hash(entry) for entry in [*log.entries, *later]])
