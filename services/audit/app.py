"""The audit service's composition root.

Owns which part gets which other part. Decides nothing else.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from services.audit import checkpoints, tables, wire
from services.audit.activity import Activity
from services.audit.appender import Appender
from services.audit.bodies import Bodies
from services.audit.checkpoints import SqlCheckpoints
from services.audit.checks import LogChecks
from services.audit.config import Config
from services.audit.evidence.app import assemble
from services.audit.evidence.requests import Requests
from services.audit.evidence.sql_requests import SqlRequests
from services.audit.handlers import ActivityHandlers, AppendHandlers, LogHandlers, ReceiptHandlers
from services.audit.journal import Journal
from services.audit.note import Signer
from services.audit.own_records import OwnRecords
from services.audit.place import PlaceConfig
from services.audit.recovery.recovery import Recovery
from services.audit.recovery.sql import SqlRecoveries
from services.audit.retention.app import Remains, Retention, remains, retention
from services.audit.scrub import Scrub
from services.audit.search.app import search_handlers, searching
from services.audit.search.tags import Tagging
from services.audit.sequencer import Sequencer
from services.audit.siem.app import exports
from services.audit.signing import load_signer
from services.audit.sql import SqlLog
from services.audit.sql_lease import SqlLease
from services.audit.store import TileStore
from services.audit.tile_directory import DirectoryTiles
from services.audit.tile_s3 import S3Tiles, connect
from services.audit.witness import app as witness_app
from services.audit.witness.app import Witnesses
from services.kit.assertion import AssertionVerifier
from services.kit.config import ConfigError
from services.kit.db import Database
from services.kit.erasure import Follower
from services.kit.keyring import Keyring
from services.kit.kms import root_key
from services.kit.main import Application, Runtime
from services.kit.outbox import Outbox
from services.kit.server import Handlers
from services.kit.storage import Storage
from services.kit.store_leaks import StoreSearch
from services.kit.watch import RevocationState, Watch
from valv.audit.v1 import activity_pb2, append_pb2, log_pb2, receipt_pb2
from valv.auth.v1 import session_pb2

KEYS_REVISION = "0001"


@dataclass(frozen=True)
class _Stores:
    databases: Sequence[Database]
    outbox: Outbox
    journal: Journal
    records: SqlLog
    keyring: Keyring
    remains: Remains
    tiles: TileStore
    checkpoints: SqlCheckpoints

    def scrub(self, bodies: Bodies, signer: Signer) -> Scrub:
        return Scrub(self.records, bodies, self.tiles, self.checkpoints, signer.verifier)

    def search(self) -> StoreSearch:
        sealed = (tables.ENTRIES.c.entry, tables.ENTRIES.c.sealed)
        return StoreSearch(self.databases[0], tables.METADATA, sealed)

    def witnesses(self, config: Config, signer: Signer) -> Witnesses:
        return witness_app.build(config.witnesses, self.checkpoints, self.tiles, signer.verifier)

    def bodies(self) -> Bodies:
        """Return what seals and opens bodies."""
        return Bodies(self.keyring, self.remains.security, self.remains.cold)

    async def close(self) -> None:
        await self.journal.stopped()
        await self.tiles.close()
        await self.remains.cold.close()
        for each in self.databases:
            await each.close()


async def build(config: Config, runtime: Runtime) -> Application:
    """Build the service."""
    stores = await _stores(config, runtime)
    clock, log, records, journal = runtime.clock, runtime.log, stores.records, stores.journal
    database, keyring, bodies = stores.databases[0], stores.keyring, stores.bodies()
    state, signer = RevocationState(clock), load_signer(config.log.signing_key_file, config.log.origin)
    vkey, witnesses = signer.verifier.vkey, stores.witnesses(config, signer)
    sequencer, heads = _sequencer(config, runtime, stores, signer, witnesses), witnesses.heads(clock)
    search, tree = searching(database, keyring, bodies, journal, log), stores.scrub(bodies, signer)
    activity = Activity(records, search.finder, bodies, keyring, heads, stores.tiles)
    appender = Appender(records, bodies, wire.event_of, sequencer, heads)
    exported = exports(config.siem, database, bodies, heads, journal, runtime)
    keeping = retention(config.retention, runtime, stores.outbox, bodies, keyring, heads, activity, stores.remains)
    follower = await _follower(stores, keeping, runtime)
    storage = Storage(runtime, stores.outbox, stores.search(), OwnRecords(appender))
    evidence = assemble(storage, records, activity, journal, runtime)
    requests = Requests(SqlRequests(database, clock), Tagging(keyring), sequencer)

    await journal.started()
    return Application(
        handlers={
            **_handlers(appender, requests, activity),
            **evidence.handlers,
            log_pb2.DESCRIPTOR.services_by_name["LogService"]: LogHandlers(heads, stores.tiles, vkey, keeping.minimum),
            **search_handlers(search, keyring, heads, activity, journal),
            **keeping.handlers,
        },
        storage=storage,
        verifier=AssertionVerifier(state, clock, config.public_url, config.audience),
        tasks=(
            *(appender.run, sequencer.run, follower.run, keeping.upkeep.run, search.filling.run),
            *(*evidence.tasks, *exported.tasks),
            *witnesses.tasks(journal, clock, log, lambda: sequencer.signing),
            Watch(runtime.channels.get("auth"), state, clock, follower).run,
        ),
        probes=(_probe(database, sequencer),),
        closers=(*exported.closers, witnesses.close, stores.close),
        checks=(*LogChecks(records, heads, tree, clock).all(), *keeping.checks, *evidence.checks),
    )


def _probe(database: Database, sequencer: Sequencer) -> Callable[[], Awaitable[None]]:
    async def ready() -> None:
        await database.ping()
        sequencer.require_sound()

    return ready


def _sequencer(config: Config, runtime: Runtime, stores: _Stores, signer: Signer, witnesses: Witnesses) -> Sequencer:
    database, clock, log = stores.databases[0], runtime.clock, runtime.log
    lease = SqlLease(database, clock, runtime.ids.new("hld"))
    recoveries = SqlRecoveries(database, clock, runtime.ids, stores.journal)
    recovery = Recovery(recoveries, stores.records, stores.tiles, clock, log, config.log.accept_lost)
    outside = witnesses.outside()
    return Sequencer(signer, stores.records, stores.tiles, stores.checkpoints, lease, recovery, outside, log)


async def _follower(stores: _Stores, keeping: Retention, runtime: Runtime) -> Follower:
    database, auth = stores.databases[0], runtime.channels.get("auth")
    made = Follower(database, auth, keeping.eraser.erase, session_pb2.ERASURE_PHASE_LOG, runtime.log)
    await made.load()
    return made


def _handlers(appender: Appender, requests: Requests, activity: Activity) -> Handlers:
    return {
        append_pb2.DESCRIPTOR.services_by_name["AppendService"]: AppendHandlers(appender, requests),
        activity_pb2.DESCRIPTOR.services_by_name["ActivityService"]: ActivityHandlers(activity),
        receipt_pb2.DESCRIPTOR.services_by_name["ReceiptService"]: ReceiptHandlers(activity),
    }


async def _stores(config: Config, runtime: Runtime) -> _Stores:
    database, keys, heads = (
        Database(each) for each in (config.database, config.keys_database, config.checkpoint_database)
    )
    await database.require_revision(tables.REVISION)
    await keys.require_revision(KEYS_REVISION)
    await heads.require_revision(checkpoints.REVISION)
    outbox = Outbox(database, runtime.clock, runtime.ids)
    journal, root = Journal(outbox), root_key(config.root_key)
    return _Stores(
        databases=(database, keys, heads),
        outbox=outbox,
        journal=journal,
        records=SqlLog(database, runtime.clock, journal),
        keyring=Keyring(keys, root, "audit", runtime.clock),
        remains=remains(config.retention, runtime, keys, root, database, journal),
        tiles=_tiles(config.tiles),
        checkpoints=SqlCheckpoints(heads, runtime.clock),
    )


def _tiles(config: PlaceConfig) -> TileStore:
    if config.directory is not None:
        return DirectoryTiles(config.directory)
    if config.s3 is None:
        raise ConfigError("missing key: tiles")
    return S3Tiles(connect(config.s3), config.s3.bucket, config.s3.prefix)
