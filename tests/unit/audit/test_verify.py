"""`valv verify`: what holds is said to hold, and nothing else is, whoever made it."""

from __future__ import annotations

import base64
import importlib.util
import json
import shutil
import subprocess
import sys
import tarfile
import warnings
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

import pytest

from deploy.cli.verify import main
from services.audit.merkle import leaf_hash
from services.audit.receipt import HEADER
from services.kit.event import Origin, Outcome, Target
from tests.unit.audit.world import ORIGIN, World

pytestmark = pytest.mark.clause("P5")


@pytest.fixture
async def receipt(world: World, tmp_path: Path) -> Path:
    """A receipt in a log of 300 entries, with its key beside it."""
    anna = world.ids.new("usr")
    await world.fill(130)
    event = world.event(
        anna,
        target=Target("file", world.ids.new("fil")),
        origin=Origin("192.0.2.7", "curl"),
        outcome=Outcome.DENIED,
        reason="FILE_NOT_FOUND",
        details={"bytes": 5},
    )
    await world.append(event)
    await world.fill(169)
    await world.sign()
    world.clock.advance(1)
    (tmp_path / "vkey").write_text(world.signer.verifier.vkey + "\n", "utf-8")
    path = tmp_path / "one.tlog-proof"
    path.write_bytes(await world.activity.receipt(anna, event.id))
    return path


def verify(*arguments: object, key: object) -> int:
    return main(["--key", str(key), *map(str, arguments)])


def test_a_receipt_says_what_happened(receipt: Path, world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(receipt, key=world.signer.verifier.vkey) == 0
    said = capsys.readouterr().out
    assert said.startswith(
        f"OK   {receipt}: entry 130 of log {ORIGIN}: on 2026-11-22 at 12:00:00.000000 UTC, customer usr_"
    )
    assert "did files.file.download to file fil_" in said
    assert said.endswith("from 192.0.2.7: it was refused (FILE_NOT_FOUND), bytes 5; recorded by files\n")
    assert said.count("\n") == 1
    assert verify(receipt, key=receipt.with_name("vkey")) == 0


def test_it_needs_nothing_but_cryptography(receipt: Path, tmp_path: Path) -> None:
    """As from a checkout on a machine that has Python and `cryptography` and nothing else."""
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("cryptography", "_cffi_backend"):
        found = importlib.util.find_spec(name)
        assert found is not None
        assert found.origin is not None
        origin = Path(found.origin)
        whole = origin.parent if found.submodule_search_locations else origin
        (bare / whole.name).symlink_to(whole)
    place = f"import sys; sys.path += {[str(Path(__file__).parents[3]), str(bare)]}\n"
    script = f"{place}from deploy.cli.__main__ import main; raise SystemExit(main())"
    python = [sys.executable, "-I", "-S", "-c"]
    command = [*python, script, "verify", "--key", str(receipt.with_name("vkey")), str(receipt)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.startswith("OK   ")
    bare_enough = subprocess.run([*python, f"{place}import rfc8785"], capture_output=True, check=False, cwd=tmp_path)
    assert b"ModuleNotFoundError" in bare_enough.stderr  # else this test shows nothing


def test_no_changed_bit_of_a_receipt_passes(receipt: Path, world: World) -> None:
    data, vkey = receipt.read_bytes(), world.signer.verifier.vkey
    for at in range(len(data)):
        receipt.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert verify(receipt, key=vkey) == 1, at
    for bent in (data[:-1], data + b"\n", data + b"x", data[1:], b"", data.replace(b"\n", b"\r\n")):
        receipt.write_bytes(bent)
        assert verify(receipt, key=vkey) == 1


@pytest.mark.parametrize("event", [b'{"v":2}', b'{"v":1}', b"[]", b"\xff", b'{"v":1,"v":1}', b'"' + b"A" * 40, b"null"])
def test_a_proven_leaf_that_is_no_event_is_not_a_receipt(receipt: Path, world: World, event: bytes) -> None:
    salt = bytes(32)
    entry = b"\x01" + sha256(b"valv/leaf/v1" + salt + event).digest()
    note = world.signer.sign(f"{ORIGIN}\n1\n{base64.b64encode(leaf_hash(entry)).decode()}\n")
    extra = base64.b64encode(b"\x01" + salt + event).decode()
    receipt.write_bytes(f"{HEADER}\nextra {extra}\nindex 0\n\n".encode() + note)
    assert verify(receipt, key=world.signer.verifier.vkey) == 1


def test_what_an_event_says_cannot_move_the_terminal(
    receipt: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    said = {"v": 1, "time": "", "action": "\x1b[2K\rOK", "outcome": "success", "actor": {"kind": "nobody"}}
    event = json.dumps(said | {"producer": {"name": "x"}}).encode()
    entry = b"\x01" + sha256(b"valv/leaf/v1" + bytes(32) + event).digest()
    note = world.signer.sign(f"{ORIGIN}\n1\n{base64.b64encode(leaf_hash(entry)).decode()}\n")
    extra = base64.b64encode(b"\x01" + bytes(32) + event).decode()
    receipt.write_bytes(f"{HEADER}\nextra {extra}\nindex 0\n\n".encode() + note)
    verify(receipt, key=world.signer.verifier.vkey)
    assert "\x1b" not in capsys.readouterr().out


def test_a_stranger_s_log_is_not_believed(receipt: Path, world: World, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - imported only where it is wanted

    from services.audit.note import Signer  # noqa: PLC0415 - imported only where it is wanted

    stranger = Signer(ORIGIN, Ed25519PrivateKey.generate())
    assert verify(receipt, key=stranger.verifier.vkey) == 1


def test_a_whole_log_verifies_and_every_tampered_tile_is_found(receipt: Path, world: World, tmp_path: Path) -> None:
    vkey, log = world.signer.verifier.vkey, tmp_path / "copy"
    shutil.copytree(world.folder / "log", log)
    assert verify(log, key=vkey) == 0
    tiles = [path for path in (log / "tile").rglob("*") if path.is_file()]
    assert len(tiles) == 5  # 300 entries: two tiles and two bundles, one tile above
    for path in tiles:
        data = path.read_bytes()
        for bent in (data[:-1], data[:-32], data + b"x", data + bytes(32), bytes([data[0] ^ 1]) + data[1:], b""):
            path.write_bytes(bent)
            assert verify(log, key=vkey) == 1, path
        path.unlink()
        assert verify(log, key=vkey) == 1, path
        path.write_bytes(data)
    assert verify(log, key=vkey) == 0


MODES = {
    ".tar": lambda path: tarfile.open(path, "w"),  # noqa: SIM115 - the caller closes it
    ".gz": lambda path: tarfile.open(path, "w:gz"),  # noqa: SIM115 - the caller closes it
    ".xz": lambda path: tarfile.open(path, "w:xz"),  # noqa: SIM115 - the caller closes it
}


def pack(log: Path, to: Path, folder: str = "") -> Path:
    """An archive of a log, as its name says, with everything in a folder if given."""
    files = [path for path in log.rglob("*") if path.is_file()]
    if to.suffix == ".zip":
        with ZipFile(to, "w") as archive:
            for path in files:
                archive.write(path, f"{folder}{path.relative_to(log)}")
        return to
    with MODES[to.suffix](to) as archive:
        for path in files:
            archive.add(path, f"{folder}{path.relative_to(log)}")
    return to


@pytest.mark.parametrize("name", ["log.zip", "log.tar", "log.tar.gz", "log.tar.xz"])
@pytest.mark.parametrize("folder", ["", "some/"])
def test_an_archived_log_is_checked_like_a_folder(
    receipt: Path, world: World, tmp_path: Path, name: str, folder: str
) -> None:
    vkey, log = world.signer.verifier.vkey, world.folder / "log"
    whole = pack(log, tmp_path / name, folder)
    assert verify(whole, key=vkey) == 0
    assert verify(receipt, "--log", whole, key=vkey) == 0
    data = whole.read_bytes()
    whole.write_bytes(data[: len(data) // 2])
    assert verify(whole, key=vkey) == 1
    tile = log / "tile/0/000"
    tile.write_bytes(bytes(8192))
    assert verify(pack(log, tmp_path / name, folder), key=vkey) == 1


def test_an_archive_cannot_show_one_file_and_hide_another(receipt: Path, world: World, tmp_path: Path) -> None:
    vkey, log = world.signer.verifier.vkey, world.folder / "log"
    twice = pack(log, tmp_path / "twice.zip")
    with warnings.catch_warnings(action="ignore"), ZipFile(twice, "a") as archive:
        archive.writestr("checkpoint", "another")
    again = pack(log, tmp_path / "again.tar")
    with tarfile.open(again, "a") as tar:
        tar.add(log / "checkpoint", "checkpoint")
    leaving = tmp_path / "leaving.tar"
    with tarfile.open(leaving, "w") as tar:
        tar.add(log / "checkpoint", "tile/../../left")
    for path in (twice, again, leaving):
        assert verify(path, key=vkey) == 1, path
    assert not (tmp_path.parent / "left").exists()


async def test_what_is_left_of_a_smaller_log_must_be_how_it_began(world: World, receipt: Path, tmp_path: Path) -> None:
    vkey, copy = world.signer.verifier.vkey, tmp_path / "copy"
    shutil.copytree(world.folder / "log", copy)
    await world.fill(10)
    await world.sign()
    log = world.folder / "log"
    assert (log / "tile/0/001.p/44").exists()
    assert verify(log, key=vkey) == 0
    for name in ("tile/0/001.p/44", "tile/entries/001.p/44"):
        data = (log / name).read_bytes()
        (log / name).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        assert verify(log, key=vkey) == 1
        (log / name).write_bytes(data)
    for name in ("tile/0/001.p/55", "tile/entries/002", "tile/2/000.p/1", "tile/0/x", "tile/note.txt", "tile/9/000"):
        (log / name).parent.mkdir(parents=True, exist_ok=True)
        (log / name).write_bytes(b"more")
        assert verify(log, key=vkey) == 1, name
        (log / name).unlink()
    assert verify(log, key=vkey) == 0


async def test_checkpoints_are_compared_with_the_log(receipt: Path, world: World, tmp_path: Path) -> None:
    vkey, old, new = world.signer.verifier.vkey, tmp_path / "old", tmp_path / "new"
    shutil.copy(world.folder / "log/checkpoint", old)
    await world.fill(300)
    await world.sign()
    shutil.copy(world.folder / "log/checkpoint", new)
    log = world.folder / "log"
    assert verify(old, new, receipt, "--log", log, key=vkey) == 0
    forged = world.signer.sign(f"{ORIGIN}\n300\n{base64.b64encode(bytes(32)).decode()}\n")
    (tmp_path / "forged").write_bytes(forged)
    assert verify(tmp_path / "forged", "--log", log, key=vkey) == 1
    ahead = world.signer.sign(f"{ORIGIN}\n9000\n{base64.b64encode(bytes(32)).decode()}\n")
    (tmp_path / "ahead").write_bytes(ahead)
    assert verify(tmp_path / "ahead", "--log", log, key=vkey) == 1


def test_two_trees_of_one_size_are_shown_as_proof(
    receipt: Path, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(world.signer.sign(f"{ORIGIN}\n300\n{base64.b64encode(bytes(32)).decode()}\n"))
    shutil.copy(world.folder / "log/checkpoint", two)
    assert verify(one, two, key=world.signer.verifier.vkey) == 1
    assert "two different trees of 300 entries" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["receipt"],
        ["--key", "nonsense", "receipt"],
        ["--key", "a+00000000+AAAA", "receipt"],
        ["--key", "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "receipt"],
        ["--key", "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "/does/not/exist"],
        ["--unknown"],
    ],
)
def test_wrong_use_is_not_a_verdict(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().out == ""
