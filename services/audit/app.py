"""The audit service's composition root.

Owns which part gets which other part. Decides nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.audit import checkpoints, tables, wire
from services.audit.activity import Activity
from services.audit.appender import Appender
from services.audit.bodies import Bodies
from services.audit.checkpoints import SqlCheckpoints
from services.audit.checks import LogChecks
from services.audit.config import Config, TilesConfig
from services.audit.erasure import Eraser
from services.audit.handlers import ActivityHandlers, AppendHandlers, LogHandlers, PracticesHandlers, ReceiptHandlers
from services.audit.journal import Journal
from services.audit.own_records import OwnRecords
from services.audit.retention import security
from services.audit.retention.security import SecurityRecords
from services.audit.retention.sql_erasures import SqlErasures
from services.audit.scrub import Scrub
from services.audit.sequencer import CheckpointReader, Sequencer
from services.audit.siem.app import exports
from services.audit.signing import load_signer
from services.audit.sql import SqlLog
from services.audit.sql_lease import SqlLease
from services.audit.store import TileStore
from services.audit.tile_directory import DirectoryTiles
from services.audit.tile_s3 import S3Tiles, connect
from services.kit.assertion import AssertionVerifier
from services.kit.config import ConfigError
from services.kit.db import Database
from services.kit.erasure import Follower
from services.kit.keyring import Keyring
from services.kit.kms import root_key
from services.kit.leaks import StoreSearch
from services.kit.main import Application, Runtime
from services.kit.outbox import Outbox
from services.kit.server import Handlers
from services.kit.telemetry import trace_engine
from services.kit.watch import RevocationState, Watch
from valv.audit.v1 import activity_pb2, append_pb2, log_pb2, practices_pb2, receipt_pb2
from valv.auth.v1 import session_pb2

KEYS_REVISION = "0001"


@dataclass(frozen=True)
class _Stores:
    databases: Sequence[Database]
    outbox: Outbox
    journal: Journal
    records: SqlLog
    keyring: Keyring
    security: SecurityRecords
    tiles: TileStore
    checkpoints: SqlCheckpoints

    def search(self) -> StoreSearch:
        sealed = (tables.ENTRIES.c.entry, tables.ENTRIES.c.sealed)
        return StoreSearch(self.databases[0], tables.METADATA, sealed)

    async def close(self) -> None:
        await self.journal.stopped()
        await self.tiles.close()
        for each in self.databases:
            await each.close()


async def build(config: Config, runtime: Runtime) -> Application:
    """Build the service."""
    clock, log = runtime.clock, runtime.log
    stores = await _stores(config, runtime)
    records, journal = stores.records, stores.journal
    state, signer = RevocationState(clock), load_signer(config.log.signing_key_file, config.log.origin)
    lease = SqlLease(stores.databases[0], clock, runtime.ids.new("hld"))
    sequencer = Sequencer(signer, records, stores.tiles, stores.checkpoints, lease, log)
    bodies, heads = Bodies(stores.keyring, stores.security), CheckpointReader(stores.checkpoints, clock)
    activity = Activity(records, bodies, stores.keyring, heads, stores.tiles)
    appender = Appender(records, bodies, wire.event_of, sequencer.require_sound, sequencer.wake)
    tree = Scrub(records, bodies, stores.tiles, stores.checkpoints, signer.verifier)
    exported = exports(config.siem, stores.databases[0], bodies, heads, journal, runtime)
    follower = await _follower(stores, bodies, runtime)

    async def ready() -> None:
        await stores.databases[0].ping()
        sequencer.require_sound()

    await journal.started()
    return Application(
        handlers=_handlers(
            AppendHandlers(appender),
            ActivityHandlers(activity),
            LogHandlers(heads, stores.tiles, signer.verifier.vkey),
            PracticesHandlers(records, activity, clock),
            ReceiptHandlers(activity),
        ),
        outbox=stores.outbox,
        sender=OwnRecords(appender),
        verifier=AssertionVerifier(state, clock, config.public_url, config.audience),
        tasks=(
            *(appender.run, sequencer.run, follower.run, *exported.tasks),
            Watch(runtime.channels.get("auth"), state, clock, follower).run,
        ),
        probes=(ready,),
        closers=(*exported.closers, stores.close),
        checks=LogChecks(records, heads, tree, clock).all(),
        search=stores.search(),
    )


async def _follower(stores: _Stores, bodies: Bodies, runtime: Runtime) -> Follower:
    database, auth = stores.databases[0], runtime.channels.get("auth")
    records = SqlErasures(database, runtime.clock)
    eraser = Eraser(records, bodies, stores.security, stores.keyring, stores.outbox, runtime.log)
    made = Follower(database, auth, eraser.erase, session_pb2.ERASURE_PHASE_LOG, runtime.log)
    await made.load()
    return made


def _handlers(append: object, activity: object, log: object, practices: object, receipts: object) -> Handlers:
    return {
        append_pb2.DESCRIPTOR.services_by_name["AppendService"]: append,
        activity_pb2.DESCRIPTOR.services_by_name["ActivityService"]: activity,
        log_pb2.DESCRIPTOR.services_by_name["LogService"]: log,
        practices_pb2.DESCRIPTOR.services_by_name["PracticesService"]: practices,
        receipt_pb2.DESCRIPTOR.services_by_name["ReceiptService"]: receipts,
    }


async def _stores(config: Config, runtime: Runtime) -> _Stores:
    database, keys, heads = (
        Database(each, trace_engine) for each in (config.database, config.keys_database, config.checkpoint_database)
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
        security=SecurityRecords(Keyring(keys, root, security.KEYS, runtime.clock)),
        tiles=_tiles(config.tiles),
        checkpoints=SqlCheckpoints(heads),
    )


def _tiles(config: TilesConfig) -> TileStore:
    if config.directory is not None:
        return DirectoryTiles(config.directory)
    if config.s3 is None:
        raise ConfigError("missing key: tiles")
    return S3Tiles(connect(config.s3), config.s3.bucket, config.s3.prefix)
