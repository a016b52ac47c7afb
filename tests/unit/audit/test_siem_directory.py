"""The directory as a sink: whole lines in files that follow each other."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from services.audit.siem.directory import DirectorySink
from services.audit.siem.store import Batch


def batch(first: int, count: int = 3, width: int = 20) -> Batch:
    lines = b"".join(f"{index:0{width}d}\n".encode() for index in range(first, first + count))
    return Batch(first, first + count - 1, lines, 0)


async def test_batches_follow_each_other_in_files_that_are_named_by_their_first_index(tmp_path: Path) -> None:
    sink = DirectorySink(tmp_path / "siem", rotate_bytes=4096)
    for first in range(0, 300, 3):
        await sink.send(batch(first, width=40))
    files = sorted((tmp_path / "siem").iterdir())
    assert [path.name for path in files] == [f"{0:020d}.jsonl", f"{102:020d}.jsonl", f"{204:020d}.jsonl"]
    lines = b"".join(path.read_bytes() for path in files).splitlines()
    assert [int(line) for line in lines] == list(range(300))


@pytest.mark.parametrize("torn", [b"0000", b"x" * 200_000])
async def test_a_line_that_a_crash_has_torn_is_cut_off_and_its_batch_written_again(tmp_path: Path, torn: bytes) -> None:
    sink = DirectorySink(tmp_path, rotate_bytes=1 << 20)
    await sink.send(batch(0))
    path = tmp_path / f"{0:020d}.jsonl"
    with path.open("ab") as file:
        file.write(torn)
    await DirectorySink(tmp_path, rotate_bytes=1 << 20).send(batch(3))
    assert path.read_bytes() == batch(0).lines + batch(3).lines


async def test_a_file_that_is_nothing_but_a_torn_line_begins_anew(tmp_path: Path) -> None:
    (tmp_path / f"{0:020d}.jsonl").write_bytes(b"{" * 70_000)
    await DirectorySink(tmp_path, rotate_bytes=1 << 20).send(batch(0))
    assert (tmp_path / f"{0:020d}.jsonl").read_bytes() == batch(0).lines


async def test_a_batch_counts_when_file_and_directory_are_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    sink = DirectorySink(tmp_path / "siem", rotate_bytes=1 << 20)
    await sink.send(batch(0))
    await sink.send(batch(3))
    name = f"{0:020d}.jsonl"
    assert synced == [name, "siem", name]


async def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        await DirectorySink(tmp_path, rotate_bytes=1 << 20).send(batch(0))
