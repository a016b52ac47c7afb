"""`valv verify` of an export to a SIEM: what was removed, changed or reordered downstream shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.audit.siem.directory import DirectorySink
from tests.unit.audit.exporting import Collector, advance, drain, exporter, valv
from tests.unit.audit.test_verify import verify
from tests.unit.audit.world import World

pytestmark = pytest.mark.clause("PCI DSS 10.3.3", "P5")
Lines = list[str]


@pytest.fixture
async def lines(world: World) -> Lines:
    """An export of 700 entries, signed at several sizes, one person of them erased."""
    anna = world.ids.new("usr")
    sink = Collector()
    made = exporter(world, sink)
    for count in (90, 210, 1, 399):
        await world.fill(count, anna if count == 1 else "")
        await advance(world)
        await drain(made)
        world.clock.advance(1)
    return [line.decode() for taken in sink.taken for line in taken.splitlines()]


def write(folder: Path, lines: Lines) -> Path:
    path = folder / "siem.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return path


def changed(line: str, **log: object) -> str:
    record = json.loads(line)
    valv(record)["log"] |= log
    return json.dumps(record)


def position(lines: Lines, index: int) -> int:
    """Returns where the record of an index is."""
    return next(at for at, line in enumerate(lines) if valv(json.loads(line)).get("log", {}).get("index") == index)


def test_a_whole_export_needs_the_logs_key_alone(
    lines: Lines, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, lines)
    assert verify(path, key=world.signer.verifier.vkey) == 0
    said = capsys.readouterr().out
    assert said == (
        f"OK   {path}: indexes 0 to 699 without a gap, all under signed roots: nothing was removed; "
        "what events say, receipts prove\n"
    )


@pytest.mark.parametrize("removed", [range(5, 6), range(5, 7), range(300, 301), range(698, 700)])
def test_what_was_removed_is_named(
    lines: Lines, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str], removed: range
) -> None:
    left = [line for line in lines if valv(json.loads(line)).get("log", {}).get("index") not in removed]
    assert verify(write(tmp_path, left), key=world.signer.verifier.vkey) == 1
    assert f"index{'es' if len(removed) > 1 and removed[0] != 698 else ''} {removed[0]}" in capsys.readouterr().out


def test_a_leaf_that_was_changed_is_not_under_the_signed_root(
    lines: Lines, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines[7] = changed(lines[7], leaf_hash="ab" * 32)
    assert verify(write(tmp_path, lines), key=world.signer.verifier.vkey) == 1
    assert "its first 90 entries are not those that were signed" in capsys.readouterr().out


def test_records_that_changed_places_show(lines: Lines, world: World, tmp_path: Path) -> None:
    lines[7], lines[8] = changed(lines[8], index=7), changed(lines[7], index=8)
    assert verify(write(tmp_path, lines), key=world.signer.verifier.vkey) == 1
    lines[7], lines[8] = lines[8], lines[7]
    assert verify(write(tmp_path, lines), key=world.signer.verifier.vkey) == 1


def test_an_end_without_its_checkpoint_shows(
    lines: Lines, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(write(tmp_path, lines[:-1]), key=world.signer.verifier.vkey) == 1
    assert "no checkpoint after index 600: its end is missing" in capsys.readouterr().out


def test_a_note_that_was_changed_or_is_another_logs_is_believed_nothing(
    lines: Lines, world: World, tmp_path: Path
) -> None:
    lines[-1] = lines[-1].replace("700\\n", "701\\n", 1)
    assert verify(write(tmp_path, lines), key=world.signer.verifier.vkey) == 1


def test_repeated_batches_are_no_fault_unless_they_differ(lines: Lines, world: World, tmp_path: Path) -> None:
    ends = [at for at, line in enumerate(lines) if valv(json.loads(line))["record"] == "checkpoint"]
    again = [*lines[: ends[2] + 1], *lines[ends[1] + 1 :]]
    assert verify(write(tmp_path, again), key=world.signer.verifier.vkey) == 0
    again[ends[2] + 1] = changed(again[ends[2] + 1], leaf_hash="cd" * 32)
    assert verify(write(tmp_path, again), key=world.signer.verifier.vkey) == 1


def test_of_a_later_part_a_copy_of_the_log_tells(
    lines: Lines, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, log = world.signer.verifier.vkey, world.folder / "log"
    later = lines[position(lines, 301) :]
    assert verify(write(tmp_path, later), key=key) == 2
    assert "it begins above 0" in capsys.readouterr().out
    assert verify(write(tmp_path, later), "--log", log, key=key) == 0
    assert "indexes 301 to 699 without a gap are the log's" in capsys.readouterr().out
    later[200] = changed(later[200], leaf_hash="ef" * 32)
    assert verify(write(tmp_path, later), "--log", log, key=key) == 1
    assert "is another entry in the log" in capsys.readouterr().out


async def test_the_files_of_a_directory_are_one_export(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "siem"
    made = exporter(world, DirectorySink(folder, rotate_bytes=40_000))
    await world.fill(300)
    await advance(world)
    await drain(made)
    files = sorted(folder.iterdir())
    assert len(files) == 3
    assert verify(folder, key=world.signer.verifier.vkey) == 0
    files[1].unlink()
    capsys.readouterr()
    assert verify(folder, key=world.signer.verifier.vkey) == 1
    assert "indexes 100 to 199 are missing" in capsys.readouterr().out


@pytest.mark.parametrize("line", ["{}", "not JSON", '{"unmapped":{"valv":{"record":"event"}}}', "[" * 10_000])
def test_what_is_no_record_is_not_passed_over(lines: Lines, world: World, tmp_path: Path, line: str) -> None:
    lines.insert(50, line)
    assert verify(write(tmp_path, lines), key=world.signer.verifier.vkey) == 1
