"""The log's writer killed, and its system calls made to fail: nothing acknowledged is lost or twice, and one tree is.

The calls fail by strace, as the kernel would make them.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.cli.verify import main as verify
from services.audit import merkle
from services.audit.checkpoint import open_checkpoint
from services.kit.envelope import create_root_key
from tests.integration.log_writer import BATCHES
from tests.unit.audit.world import World, databases, make_world, migrate_all

pytestmark = pytest.mark.clause("P5", "ASVS 16.5.3")
EVERY = 1000
MOST = EVERY if os.environ.get("VALV_EVERY_FAULT") else 4
"""How many occurrences of a call fail, one in each run, spread over all of them."""
FEW = MOST // 2
CALLS = ("openat", "write", "pwrite64", "fsync", "fdatasync", "mkdir", "link", "rename", "unlink")


def spread(count: int, most: int = MOST) -> list[int]:
    """Return at most so many of 1..count, evenly."""
    if count <= most:
        return list(range(1, count + 1))
    return sorted({round(1 + number * (count - 1) / (most - 1)) for number in range(most)})


@dataclass
class Run:
    """What a run told before it ended."""

    status: int
    told: list[dict[str, Any]]

    @property
    def acknowledged(self) -> list[str]:
        """The events that were acknowledged, in order."""
        events: list[str] = []
        for told in self.told:
            if "acked" in told:
                missing = told["acked"] - len(events)
                events += told["events"][len(told["events"]) - missing :] if missing else []
        return events

    @property
    def notes(self) -> list[bytes]:
        return [base64.b64decode(told["signed"]) for told in self.told if "signed" in told]


class Writer:
    """The process that forks writers."""

    def __init__(self, template: Path) -> None:
        self._template, self._runs = template, 0
        self._errors = template.with_name("stderr")
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.log_writer"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def fork(self, *, warm: bool = True) -> tuple[Path, int]:
        """Make a log of its own and a process that will write it."""
        self._runs += 1
        folder = shutil.copytree(self._template, self._template.with_name(f"run{self._runs}"))
        return folder, int(self._ask({"folder": str(folder), "warm": warm})["pid"])

    def run(self) -> Run:
        """Let it write until it ends."""
        return Run(**self._ask({}))

    def said(self) -> str:
        """Return the end of what was said on standard error."""
        return self._errors.read_text("utf-8")[-4000:]

    def close(self) -> None:
        self._process.stdin.close()  # type: ignore[union-attr]  # it is a pipe
        self._process.wait(10)
        self._process.stdout.close()  # type: ignore[union-attr]  # it is a pipe

    def _ask(self, line: dict[str, object]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()
        return dict(json.loads(self._process.stdout.readline()))


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Writer]:
    template = tmp_path_factory.mktemp("log") / "template"
    template.mkdir()
    migrate_all(databases(template))
    create_root_key(template / "root")
    (template / "signing").write_bytes(Ed25519PrivateKey.generate().private_bytes_raw())
    made = Writer(template)
    yield made
    made.close()


@dataclass
class Faults:
    """Runs writers whose system calls fail."""

    writer: Writer
    strace: str

    def run(self, what: str, *, warm: bool = True) -> tuple[Path, Run, str]:
        """Run a writer with failing calls; return its folder, what it told, and the trace."""
        folder, pid = self.writer.fork(warm=warm)
        log = folder / "strace.log"
        flags = ["-e", f"trace={what.partition(':')[0]}", *(["-e", f"inject={what}"] if ":" in what else [])]
        with subprocess.Popen(
            [self.strace, "-f", "-p", str(pid), "-o", str(log), *flags], stderr=subprocess.PIPE, text=True
        ) as tracer:
            assert tracer.stderr is not None
            if "attached" not in (said := tracer.stderr.readline()):
                self.writer.run()
                pytest.skip(f"strace may not attach here: {said.strip()}")
            run = self.writer.run()
        return folder, run, log.read_text("utf-8", "replace")

    def count(self, call: str, *, warm: bool = True) -> int:
        """Return how often the busiest thread of a run makes a call."""
        _, _, trace = self.run(call, warm=warm)
        threads = Counter(line.split()[0] for line in trace.splitlines() if f" {call}(" in line)
        return max(threads.values())

    async def each(self, call: str, how: str, most: int = MOST, *, warm: bool = True) -> None:
        """Let one occurrence after another fail, each in a run of its own."""
        happened = 0
        for when in spread(self.count(call, warm=warm), most):
            folder, run, trace = self.run(f"{call}:{how.format(when=when, until=when + 5)}", warm=warm)
            if "INJECTED" not in trace and not os.WIFSIGNALED(run.status):
                continue  # this run needed fewer: rounds are as long as the machine is slow
            happened += 1
            if warm and "signal" not in how:
                assert run.status == 0, f"{call} {when}: {self.writer.said()}"
            await require_one_log(folder, run, sum(BATCHES) + warm if run.status == 0 else None)
        assert happened


@pytest.fixture(scope="module")
def faults(writer: Writer) -> Faults:
    """Failing system calls."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("no strace: apt install strace (Debian)")
    return Faults(writer, strace)


async def require_one_log(folder: Path, run: Run, count: int | None) -> None:
    """Start again over what is left: everything acknowledged is there once, under one tree, and it goes on.

    `count` is how many there must be, when that is known.
    """
    async with make_world(folder) as world:
        world.clock.advance(7200)
        if (head := await world.records.head("files")) is not None:
            world.epochs["files"] = head.epoch
        held = await events_of(world)
        acknowledged = run.acknowledged
        assert held[: len(acknowledged)] == acknowledged
        assert len(held) == len(set(held))
        assert count in {None, len(held)}
        await world.append(world.event())
        final = await world.sign()
        assert final.size == len(held) + 1
        leaves = [merkle.leaf_hash(entry) for entry in await world.records.entries(0, final.size)]
        for note in run.notes:
            seen = open_checkpoint(note, world.signer.verifier)
            assert seen.root == merkle.root(leaves[: seen.size])
        assert await world.scrub().damage() == 0
        assert verify([str(folder / "log"), "--key", world.signer.verifier.vkey]) == 0


async def events_of(world: World) -> list[str]:
    rows = await world.records.stored(0, 1 << 20)
    assert [row.kept.index for row in rows] == list(range(len(rows)))
    return [row.kept.event_id for row in rows]


@pytest.mark.parametrize("call", CALLS)
async def test_each_call_may_fail_once(faults: Faults, call: str) -> None:
    await faults.each(call, f"error={'EMFILE' if call == 'openat' else 'EIO'}:when={{when}}")


@pytest.mark.parametrize("call", ["openat", "pwrite64", "fdatasync", "unlink"])
async def test_a_start_that_fails_does_no_harm(faults: Faults, call: str) -> None:
    await faults.each(call, "error=EIO:when={when}", FEW, warm=False)


@pytest.mark.parametrize("call", ["pwrite64", "write", "openat", "mkdir", "link"])
async def test_the_disk_may_be_full_for_a_while(faults: Faults, call: str) -> None:
    await faults.each(call, "error=ENOSPC:when={when}..{until}", FEW)


@pytest.mark.parametrize("call", ["pwrite64", "fsync", "fdatasync", "link", "rename", "unlink"])
async def test_it_may_be_killed_at_each_call(faults: Faults, call: str) -> None:
    await faults.each(call, "signal=KILL:when={when}", MOST)


@pytest_asyncio.fixture
async def usual(writer: Writer) -> AsyncIterator[float]:
    """How long a run takes that nothing happens to, in seconds."""
    folder, _ = writer.fork()
    started = time.monotonic()
    run = writer.run()
    taken = time.monotonic() - started
    assert run.status == 0
    assert len(run.acknowledged) == sum(BATCHES) + 1
    await require_one_log(folder, run, sum(BATCHES) + 1)
    yield taken


async def test_it_may_be_killed_at_any_moment(writer: Writer, usual: float) -> None:
    for moment in range(8):
        folder, pid = writer.fork()
        killer = threading.Timer(usual * moment / 8, os.kill, (pid, signal.SIGKILL))
        killer.start()
        run = writer.run()
        killer.cancel()
        await require_one_log(folder, run, sum(BATCHES) + 1 if run.status == 0 else None)
