"""Fuzzed notes, checkpoints, cosignatures, receipts, proofs, tile paths, tiles and bundles.

No parser raises anything but its own error, none accepts a changed text, and the service's agree with the verifier's.
"""

from __future__ import annotations

import asyncio
import base64
import json
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from tlog_scales.signing import Vkey
from tlog_scales.tlog import Checkpoint as TheirCheckpoint

from deploy.cli.verify import export, history, log, main, receipt
from deploy.cli.verify import tiles as offline_tiles
from deploy.cli.verify.note import BadError, parse_checkpoint, parse_key, parse_note
from deploy.cli.verify.trust import PolicyError, Trust, parse_policy
from services.audit import checkpoint, merkle, tiles
from services.audit.checkpoint import CheckpointError
from services.audit.note import NoteError, Signer, open_note
from services.audit.receipt import Opening, write
from services.audit.tiles import TileError
from services.audit.tree import Edge
from tests.unit.audit.memory import Memory
from tests.unit.audit.test_verify_history import Witness

pytestmark = pytest.mark.clause("P5")
ORIGIN, SIZE, INDEX = "valv.example/log", 300, 130
SIGNER = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
WITNESS = Witness("w.example", Ed25519PrivateKey.from_private_bytes(bytes(32)))
KEY = parse_key(SIGNER.verifier.vkey)
TRUST = Trust((KEY,))
WITNESSED = Trust((KEY,), {"w": WITNESS.public}, {}, "w")
EVENT = {
    "v": 1,
    "id": "evt_1",
    "time": "2026-11-22T12:00:00.000000Z",
    "action": "files.file.download",
    "outcome": "success",
    "actor": {"kind": "customer", "id": "usr_1"},
    "producer": {"name": "files", "epoch": "epo_1", "number": 7},
}
OPENING = Opening(bytes(32), json.dumps(EVENT, separators=(",", ":"), sort_keys=True).encode())


@cache
def made() -> tuple[Memory, bytes, bytes, bytes]:
    """A log in memory, its signed head, a receipt, and a consistency proof from 200."""
    entries = [OPENING.entry if index == INDEX else index.to_bytes(33) for index in range(SIZE)]
    memory, old = Memory(), Edge().grow(entries[:200])
    memory.put(old.files)
    growth = old.edge.grow(entries[200:])
    memory.put(growth.files)
    note = SIGNER.sign(f"{ORIGIN}\n{SIZE}\n{base64.b64encode(growth.edge.root()).decode()}\n")
    head = checkpoint.open_checkpoint(note, SIGNER.verifier)
    inclusion = asyncio.run(memory.reader(SIZE).inclusion(INDEX))
    lines = [base64.b64encode(each).decode() for each in asyncio.run(memory.reader(SIZE).consistency(200))]
    proof = "\n".join(["old 200", *lines, "", ""]).encode() + note
    return memory, note, write(OPENING, INDEX, inclusion, note, head), proof


@st.composite
def changed(draw: st.DrawFn, valid: bytes) -> bytes:
    """Something that was valid, with some of it changed, left out, repeated, moved or put in."""
    data = valid
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.sampled_from([0, 1, 1, 2, 4, 44, 97])))
        piece = draw(
            st.one_of(
                st.binary(max_size=4),
                st.sampled_from([b"\n", b"\n\n", b" ", b"=", b"0", b"-1", b"\r\n", b"\xe2\x80\x94 ", b"\x00", b"+"]),
                st.just(data[start:end] * 2),
                st.just(data[end : end + 44] + data[start:end]),
                st.just(bytes(byte ^ 1 << draw(st.integers(0, 7)) for byte in data[start:end])),
                st.just(data[start:end].swapcase()),
            )
        )
        data = data[:start] + piece + data[end:]
    return data


def answer(ask: Callable[[], Any], *own: type[Exception]) -> Any:
    """What a parser says, or None when it says no in its own way."""
    try:
        return ask()
    except own:
        return None


def any_or_changed(pick: int) -> st.SearchStrategy[bytes]:
    return st.one_of(st.binary(max_size=300), changed(made()[pick]))  # type: ignore[arg-type]  # never the tiles


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    names = st.sampled_from([*EVENT, "object", "origin", "details"])
    return st.lists(inner, max_size=3) | st.dictionaries(names, inner)


@given(any_or_changed(1))
def test_checkpoints(data: bytes) -> None:
    service = answer(lambda: checkpoint.open_checkpoint(data, SIGNER.verifier), CheckpointError)
    offline = answer(lambda: TRUST.open(data), BadError)
    assert (service is None) == (offline is None)
    text = answer(lambda: open_note(data, SIGNER.verifier), NoteError)
    if text is not None:
        assert text == made()[1].decode().partition("\n\n")[0] + "\n"  # nothing else was ever signed
    if service is not None:
        assert (service.origin, service.size, service.root) == (offline.origin, offline.size, offline.root)
        theirs = TheirCheckpoint.from_text(data.decode())
        theirs.verify(Vkey.from_string(SIGNER.verifier.vkey))
        assert (theirs.origin, theirs.size, theirs.root_hash) == (ORIGIN, SIZE, service.root)


@given(st.one_of(st.text(), changed(made()[1]).map(lambda data: data.decode("utf-8", "replace"))))
def test_checkpoint_texts(text: str) -> None:
    text = text.partition("\n\n")[0] + "\n"
    service = answer(lambda: checkpoint.parse(text), CheckpointError)
    offline = answer(lambda: parse_checkpoint(text), BadError)
    assert (service is None) == (offline is None)
    if service is not None:
        assert service.text == text
        assert (service.origin, service.size, service.root) == (offline.origin, offline.size, offline.root)


@given(st.data())
def test_cosignatures(data: st.DataObject) -> None:
    note = made()[1]
    whole = note + WITNESS.line(note)
    assert WITNESSED.open(whole).size == SIZE
    bent = data.draw(changed(whole))
    found = answer(lambda: WITNESSED.open(bent), BadError)
    if found is not None:  # lines of strangers and lines twice change nothing
        assert bent.startswith(note[: note.index(b"\n\n") + 2])
        assert WITNESS.line(note).rstrip(b"\n") in bent
    answer(lambda: WITNESSED.cosigned(parse_note(bent)), BadError)


@given(any_or_changed(2))
def test_receipts(data: bytes) -> None:
    found = answer(lambda: receipt.verify(data, TRUST), BadError)
    if found is not None:
        assert (found.index, found.event, found.checkpoint.size) == (INDEX, EVENT, SIZE)


@given(st.one_of(st.binary(max_size=200), st.recursive(st.none() | st.booleans() | st.integers() | st.text(), _nested)))
def test_no_proven_leaf_moves_the_verifier(event: Any) -> None:
    opening = Opening(bytes(32), event if isinstance(event, bytes) else json.dumps(event).encode())
    _judge_opening(opening)


@given(st.dictionaries(st.sampled_from([*EVENT, "object", "details", "subject"]), st.recursive(st.text(), _nested)))
def test_no_event_moves_the_verifier(changes: dict[str, Any]) -> None:
    _judge_opening(Opening(bytes(32), json.dumps(EVENT | changes | {"v": 1}).encode()))


def _judge_opening(opening: Opening) -> None:
    root = base64.b64encode(merkle.leaf_hash(opening.entry)).decode()
    note = SIGNER.sign(f"{ORIGIN}\n1\n{root}\n")
    data = write(opening, 0, [], note, checkpoint.open_checkpoint(note, SIGNER.verifier))
    found = answer(lambda: receipt.verify(data, TRUST), BadError)
    if found is not None:
        assert receipt.words(found.event).isprintable()


@given(any_or_changed(3))
def test_consistency_proofs(data: bytes) -> None:
    proof = answer(lambda: history.parse_proof("x", data, TRUST), BadError)
    if proof is not None:
        assert proof.new.size == SIZE
        answer(lambda: history.History().prove(proof))


PATHS = st.one_of(
    st.text(alphabet="0123456789x/.pentris-", max_size=24),
    st.builds(
        lambda level, groups, last, width: f"{level}/{''.join(f'x{group:03d}/' for group in groups)}{last:03d}{width}",
        st.one_of(st.integers(0, 99), st.just("entries")),
        st.lists(st.integers(0, 999), max_size=7),
        st.integers(0, 1000),
        st.one_of(st.just(""), st.integers(0, 300).map(lambda width: f".p/{width}")),
    ),
)


@given(PATHS)
def test_tile_paths(path: str) -> None:
    service = answer(lambda: tiles.parse_path(path), TileError)
    offline = offline_tiles.parse(path)
    if service is None:
        assert offline is None
        return
    assert service.path == path
    if service.level < offline_tiles._TOP:
        assert offline is not None
        level = service.level if service.level != tiles.ENTRIES else None
        assert (offline.level, offline.index, offline.width) == (level, service.index, service.width)


@given(st.binary(max_size=600), st.integers(0, 4))
def test_bundles(data: bytes, width: int) -> None:
    service = answer(lambda: tiles.split_entries(data), TileError)
    offline = answer(lambda: offline_tiles.entries_of(data, width), BadError)
    assert offline == (service if service is not None and len(service) == width else None)
    if service is not None:
        assert tiles.join_entries(service) == data
    hashes = answer(lambda: tiles.split_hashes(data), TileError)
    assert hashes is None or tiles.join_hashes(hashes) == data


class Files:
    """A log's files in memory."""

    def __init__(self) -> None:
        memory, note, _, _ = made()
        held = {f"tile/{tile.path}": data for tile, data in memory.files.items() if tile.leaves <= SIZE}
        self.held = {"checkpoint": note, **held}

    def read(self, name: str, most: int) -> bytes | None:
        return self.held.get(name)

    def names(self) -> Any:
        return iter(list(self.held))


@given(st.data())
def test_whole_logs(data: st.DataObject) -> None:
    files = Files()
    head = TRUST.open(files.held["checkpoint"])
    assert log.roots(files, head, [200])[200] == asyncio.run(made()[0].reader(200).root())
    name = data.draw(st.sampled_from(sorted(files.held.keys() - {"checkpoint"})))
    bent = data.draw(changed(files.held[name]))
    if bent == files.held[name]:
        return
    files.held[name] = bent
    with pytest.raises(BadError):
        log.roots(files, head)


@given(st.one_of(st.binary(max_size=60), changed(SIGNER.verifier.vkey.encode()), changed(WITNESS.vkey.encode())))
def test_keys(data: bytes) -> None:
    found = answer(lambda: parse_key(data.decode("utf-8", "replace")), BadError)
    assert found is None or found == KEY


POLICY = f"log {SIGNER.verifier.vkey}\nwitness a {WITNESS.vkey}\ngroup g any a\nquorum g\n".encode()


@given(st.one_of(st.binary(max_size=100), changed(POLICY)))
def test_policies(data: bytes) -> None:
    answer(lambda: parse_policy(data), PolicyError)


@given(st.recursive(st.none() | st.text() | st.integers(), _nested), st.text(max_size=5))
def test_exported_rows(row: Any, proof: str) -> None:
    line = {"activity": {"event": row, "index": "130"}, "receipt": proof or made()[2].decode()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        path.write_text(f"{json.dumps(line)}\n{json.dumps(row)}\n", "utf-8")
        verdicts = list(export.verify_lines("rows", path, TRUST, lambda _: None))
    assert verdicts[-1].state != "ok"


@given(st.one_of(st.binary(max_size=100), changed(made()[1]), changed(made()[2]), changed(made()[3])))
def test_the_command_ends_with_a_verdict(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "it"
        path.write_bytes(data)
        assert main(["--key", SIGNER.verifier.vkey, str(path)]) in {0, 1, 2}
