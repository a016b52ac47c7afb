"""The log's parts over real stores in a temporary folder, put together by hand so that each can be broken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services import audit
from services.audit import wire
from services.audit.activity import Activity
from services.audit.appender import Appender
from services.audit.bodies import Bodies
from services.audit.checkpoint import Checkpoint, open_checkpoint
from services.audit.checkpoints import SqlCheckpoints
from services.audit.erasure import Eraser, Openers
from services.audit.heads import CheckpointReader
from services.audit.journal import Journal
from services.audit.note import Signer
from services.audit.recovery.placing import Place
from services.audit.recovery.recovery import Recovery
from services.audit.recovery.sql import SqlRecoveries
from services.audit.retention import held, security
from services.audit.retention.cold import ColdBodies
from services.audit.retention.cold_directory import ColdDirectory
from services.audit.retention.held import HeldBodies
from services.audit.retention.minimum import Minimum
from services.audit.retention.policy import RetentionConfig
from services.audit.retention.release import Releaser
from services.audit.retention.security import SecurityReader, SecurityRecords
from services.audit.retention.sql_erasures import SqlErasures
from services.audit.retention.sql_holds import SqlHolds
from services.audit.retention.sql_sweep import SqlSweep
from services.audit.retention.sweep import Sweeper
from services.audit.scrub import Scrub
from services.audit.search.app import searching
from services.audit.search.filling import Filling
from services.audit.search.search import Search
from services.audit.search.sql import SqlIndex
from services.audit.sequencer import Sequencer
from services.audit.sql import SqlLog
from services.audit.sql_lease import SqlLease
from services.audit.tile_directory import DirectoryTiles
from services.audit.witness.outside import Outside
from services.kit.db import Database, DatabaseConfig
from services.kit.envelope import FileRootKey, create_root_key
from services.kit.event import Actor, ActorKind, Event, Outcome
from services.kit.ids import Ids
from services.kit.keyring import Keyring
from services.kit.migrate import migrate
from services.kit.outbox import Outbox
from services.kit.telemetry import Log
from tests.support.clock import FakeClock

FOLDER = Path(audit.__file__).parent
ORIGIN = "valv.example/log"


@dataclass
class World:
    """A log."""

    folder: Path
    clock: FakeClock
    ids: Ids
    database: Database
    keys_database: Database
    heads_database: Database
    outbox: Outbox
    journal: Journal
    records: SqlLog
    keyring: Keyring
    periods: Keyring
    security: SecurityRecords
    hold_keys: Keyring
    held: HeldBodies
    holds: SqlHolds
    sweeps: SqlSweep
    cold_store: ColdDirectory
    cold: ColdBodies
    erasures: SqlErasures
    bodies: Bodies
    tiles: DirectoryTiles
    checkpoints: SqlCheckpoints
    signer: Signer
    lease: SqlLease
    recovery: Recovery
    sequencer: Sequencer
    heads: CheckpointReader
    appender: Appender
    activity: Activity
    index: SqlIndex
    filling: Filling
    search: Search
    epochs: dict[str, str]

    def event(self, subject: str = "", action: str = "files.file.download", **changes: object) -> Event:
        """Return a new event about the subject, by the subject."""
        actor = Actor(ActorKind.CUSTOMER, subject) if subject else Actor(ActorKind.SERVICE, "files")
        values: dict[str, object] = {
            "id": self.ids.new("evt"),
            "time": self.clock.now(),
            "action": action,
            "outcome": Outcome.SUCCESS,
            "actor": actor,
            "subject": subject,
        }
        return Event(**(values | changes))  # type: ignore[arg-type]  # a test may give what must be refused

    def place(self, producer: str = "files", first: int = 1, predecessor: str = "", epoch: str = "") -> Place:
        """Return where a producer's records belong, in its one epoch unless another is given."""
        return Place(producer, epoch or self.epochs.setdefault(producer, self.ids.new("epo")), predecessor, first)

    async def append(self, *events: Event, producer: str = "files") -> int:
        """Append a producer's next events."""
        place = self.place(producer)
        head = await self.records.head(producer)
        first = head.highest + 1 if head is not None and head.epoch == place.epoch else 1
        return await self.appender.append(self.place(producer, first), events)

    async def fill(self, count: int, subject: str = "") -> list[Event]:
        """Append `count` events."""
        events = [self.event(subject) for _ in range(count)]
        for start in range(0, count, 512):
            await self.append(*events[start : start + 512])
        return events

    async def sign(self) -> Checkpoint:
        """Sequence what is there; return the signed checkpoint."""
        while await self.sequencer.step():
            pass
        return await self.signed()

    async def signed(self) -> Checkpoint:
        """Return the stored checkpoint, opened."""
        stored = await self.checkpoints.load()
        assert stored is not None
        return open_checkpoint(stored.note, self.signer.verifier)

    def scrub(self) -> Scrub:
        """Return what compares the stores with the signed tree."""
        return Scrub(self.records, self.bodies, self.tiles, self.checkpoints, self.signer.verifier)

    def eraser(self, records: Any = None, keys: Any = None) -> Eraser:
        """Return what erases people, over other records and keys if given."""
        openers = Openers(self.bodies, self.security, self.holds, self.held)
        return Eraser(records or self.erasures, openers, keys or self.keyring, self.outbox, Log("test"))

    def sweeper(self, policy: RetentionConfig | None = None, **other: Any) -> Sweeper:
        """Return what applies a retention policy, over other parts if given."""
        parts: dict[str, Any] = {"store": self.sweeps, "keys": self.periods, "cold": self.cold} | other
        policy = policy or RetentionConfig()
        return Sweeper(holds=self.holds, heads=self.heads, policy=policy, clock=self.clock, **parts)

    def releaser(self, holds: Any = None, keys: Any = None) -> Releaser:
        """Return what lets go what released holds kept, over other holds and keys if given."""
        return Releaser(holds or self.holds, self.held, keys or self.hold_keys)

    def minimum(self, *, prune: bool) -> Minimum:
        """Return below which index the public log serves nothing, if the policy allows pruning."""
        return Minimum(self.sweeps, self.heads, self.activity, prune=prune)

    def reader(self) -> SecurityReader:
        """Return what opens what stays of people who were erased."""
        return SecurityReader(self.erasures, self.security, self.held)

    def another_sequencer(self) -> Sequencer:
        """Return the sequencer of a second process over the same stores."""
        lease = SqlLease(self.database, self.clock, self.ids.new("hld"))
        return Sequencer(
            self.signer,
            self.records,
            self.tiles,
            self.checkpoints,
            lease,
            self.recovery,
            Outside((), 0, self.tiles, self.signer.verifier),
            Log("test"),
        )


def databases(folder: Path) -> dict[str, DatabaseConfig]:
    """Return SQLite databases in the folder, by the folder of their migrations."""
    return {
        "migrations": DatabaseConfig(f"sqlite+aiosqlite:///{folder}/audit.db"),
        "migrations_keys": DatabaseConfig(f"sqlite+aiosqlite:///{folder}/keys.db", secure_delete=True),
        "migrations_checkpoint": DatabaseConfig(f"sqlite+aiosqlite:///{folder}/checkpoint.db"),
    }


def migrate_all(configs: dict[str, DatabaseConfig]) -> None:
    """Bring the databases up to date. Blocks."""
    for name, config in configs.items():
        migrate(FOLDER / name, config)


@asynccontextmanager
async def make_world(
    folder: Path,
    configs: dict[str, DatabaseConfig] | None = None,
    *,
    clock: FakeClock | None = None,
    step: bool = True,
) -> AsyncIterator[World]:
    """Open the log in the folder, whose databases are migrated, and let its sequencer begin."""
    configs = configs or databases(folder)
    create_root_key(folder / "root")
    key_file = folder / "signing"
    if not key_file.exists():
        key_file.write_bytes(Ed25519PrivateKey.generate().private_bytes_raw())
    opened = [Database(config) for config in configs.values()]
    world = _assemble(folder, opened, key_file.read_bytes(), clock or FakeClock())
    committer = asyncio.create_task(world.appender.run())
    try:
        if step:
            await world.sequencer.step()
        yield world
    finally:
        committer.cancel()
        await asyncio.gather(committer, return_exceptions=True)
        for database in (world.database, world.keys_database, world.heads_database):
            await database.close()


def _assemble(folder: Path, opened: list[Database], key: bytes, clock: FakeClock) -> World:
    database, keys_database, heads_database = opened
    ids = Ids(clock)
    outbox = Outbox(database, clock, ids)
    journal = Journal(outbox)
    records = SqlLog(database, clock, journal)
    root = FileRootKey(folder / "root")
    purposes = ("audit", security.KEYS, held.KEYS)
    keyring, periods, hold_keys = (Keyring(keys_database, root, purpose, clock) for purpose in purposes)
    remains = SecurityRecords(periods)
    sweeps, cold_store = SqlSweep(database, journal), ColdDirectory(folder / "cold")
    cold = ColdBodies(cold_store, periods, sweeps)
    bodies, tiles = Bodies(keyring, remains, cold), DirectoryTiles(folder / "log")
    checkpoints = SqlCheckpoints(heads_database, clock)
    signer = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(key))
    lease = SqlLease(database, clock, ids.new("hld"))
    recoveries = SqlRecoveries(database, clock, ids, journal)
    recovery = Recovery(recoveries, records, tiles, clock, Log("test"))
    sequencer = Sequencer(
        signer, records, tiles, checkpoints, lease, recovery, Outside((), 0, tiles, signer.verifier), Log("test")
    )
    heads = CheckpointReader(checkpoints, clock)
    appender = Appender(records, bodies, wire.event_of, sequencer, heads)
    search = searching(database, keyring, bodies, Journal(outbox), Log("test"))
    return World(
        folder=folder,
        clock=clock,
        ids=ids,
        database=database,
        keys_database=keys_database,
        heads_database=heads_database,
        outbox=outbox,
        journal=journal,
        records=records,
        keyring=keyring,
        periods=periods,
        security=remains,
        hold_keys=hold_keys,
        held=HeldBodies(hold_keys),
        holds=SqlHolds(database, Journal(outbox)),
        sweeps=sweeps,
        cold_store=cold_store,
        cold=cold,
        erasures=SqlErasures(database, clock),
        bodies=bodies,
        tiles=tiles,
        checkpoints=checkpoints,
        signer=signer,
        lease=lease,
        recovery=recovery,
        sequencer=sequencer,
        heads=heads,
        appender=appender,
        activity=Activity(records, search.finder, bodies, keyring, heads, tiles),
        index=SqlIndex(database),
        filling=search.filling,
        search=Search(search.finder, keyring, heads),
        epochs={},
    )
