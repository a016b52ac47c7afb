"""A process that signs a log, for tests that stop it in the middle.

Arguments: a folder, the URLs of the three databases, and "stop" to stop itself (SIGSTOP) each time before it stores a
signed head. Prints the size and root of each head that it stored, and the name of each error.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit.checkpoint import open_checkpoint
from services.audit.checkpoints import SqlCheckpoints
from services.audit.journal import Journal
from services.audit.note import Signer
from services.audit.recovery.recovery import Recovery
from services.audit.recovery.sql import SqlRecoveries
from services.audit.sequencer import Sequencer
from services.audit.sql import SqlLog
from services.audit.sql_lease import SqlLease
from services.audit.store import SignedHead
from services.audit.tile_directory import DirectoryTiles
from services.audit.witness.outside import Outside
from services.kit.clock import SystemClock
from services.kit.db import Database, DatabaseConfig
from services.kit.ids import Ids
from services.kit.outbox import Outbox
from services.kit.telemetry import Log
from tests.unit.audit.world import ORIGIN


def say(*words: object) -> None:
    """Tell the test, now."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


class Told(SqlCheckpoints):
    """The checkpoint store; tells what was stored, and stops the process before it if asked."""

    def __init__(self, database: Database, clock: SystemClock, signer: Signer, *, stops: bool) -> None:
        super().__init__(database, clock)
        self._signer, self._stops = signer, stops

    async def swap(self, expected: bytes | None, head: SignedHead) -> None:
        if self._stops and head.note != expected:
            say("stopping")
            os.kill(os.getpid(), signal.SIGSTOP)
        await super().swap(expected, head)
        signed = open_checkpoint(head.note, self._signer.verifier)
        say("signed", signed.size, signed.root.hex())


async def main(folder: Path, urls: list[str], *, stops: bool) -> None:
    """Sequence for ever."""
    clock = SystemClock()
    ids = Ids(clock)
    main_database, _, heads = (Database(DatabaseConfig(url)) for url in urls)
    signer = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes((folder / "signing").read_bytes()))
    tiles, log = DirectoryTiles(folder / "log"), Log("test")
    journal = Journal(Outbox(main_database, clock, ids))
    records = SqlLog(main_database, clock, journal)
    checkpoints = Told(heads, clock, signer, stops=stops)
    lease = SqlLease(main_database, clock, ids.new("hld"))
    recovery = Recovery(SqlRecoveries(main_database, clock, ids, journal), records, tiles, clock, log)
    outside = Outside((), 0, tiles, signer.verifier)
    sequencer = Sequencer(signer, records, tiles, checkpoints, lease, recovery, outside, log)
    say("ready")
    while True:
        try:
            await sequencer.step()
        except Exception as error:  # noqa: BLE001 - what it was is the test's to judge
            say("failed", type(error).__name__)
        await asyncio.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2:5], stops=sys.argv[5:] == ["stop"]))
