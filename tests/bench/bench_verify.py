"""How fast `valv verify` walks a log of a million entries, beside plain SHA-256 over the same leaves; its memory."""

from __future__ import annotations

import base64
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.cli.layout import REPOSITORY
from services.audit.note import Signer
from services.audit.tree import Edge

ENTRIES = 1_000_000
AT_ONCE = 65_536
ORIGIN = "valv.example/log"
WATCH = """\
import sys
from pathlib import Path
from deploy.cli.verify import main
def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith("VmHWM"))
before = peak()
code = main(sys.argv[1:])
print(before, peak())
raise SystemExit(code)
"""


def run() -> dict[str, float]:
    """Measure; returns numbers by name."""
    with tempfile.TemporaryDirectory(prefix="valv-bench-") as folder:
        signer = Signer(ORIGIN, Ed25519PrivateKey.generate())
        log = Path(folder) / "log"
        _write(log, signer)
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", WATCH, "--key", signer.verifier.vkey, str(log)],
            capture_output=True,
            text=True,
            check=True,
            cwd=REPOSITORY,
        )
        seconds = time.perf_counter() - started
    raw = _raw()
    before, after = map(int, done.stdout.splitlines()[-1].split())
    return {
        "entries": ENTRIES,
        "seconds": seconds,
        "entries_per_second": ENTRIES / seconds,
        "plain_hashes_per_second": ENTRIES / raw,
        "ratio_to_plain_hashing": raw / seconds,
        "peak_memory_MiB": after / 1024,
        "grown_while_verifying_MiB": (after - before) / 1024,
    }


def _entry(index: int) -> bytes:
    return b"\x01" + sha256(index.to_bytes(8)).digest()


def _write(log: Path, signer: Signer) -> None:
    """A log as `DirectoryTiles` leaves it, without waiting for the disk."""
    edge = Edge()
    while edge.size < ENTRIES:
        end = min(ENTRIES, edge.size + AT_ONCE)
        growth = edge.grow(_entry(index) for index in range(edge.size, end))
        edge = growth.edge
        for tile, data in growth.files.items():
            path = log / "tile" / tile.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    root = base64.b64encode(edge.root()).decode()
    (log / "checkpoint").write_bytes(signer.sign(f"{ORIGIN}\n{ENTRIES}\n{root}\n"))


def _raw() -> float:
    """Return for how many seconds this machine hashes as many leaves, and does nothing else."""
    entries = [b"\x00" + _entry(index) for index in range(AT_ONCE)]
    started = time.perf_counter()
    for _ in range(ENTRIES // AT_ONCE):
        for entry in entries:
            sha256(entry).digest()
    for entry in entries[: ENTRIES % AT_ONCE]:
        sha256(entry).digest()
    return time.perf_counter() - started
