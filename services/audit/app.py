"""The audit service's composition root.

Owns which part gets which other part. Decides nothing else.
"""

from collections.abc import Sequence

from services.audit import checkpoints, sql, wire
from services.audit.activity import Activity
from services.audit.appender import Appender
from services.audit.bodies import Bodies
from services.audit.checkpoints import SqlCheckpoints
from services.audit.checks import Checks
from services.audit.config import Config, TilesConfig
from services.audit.handlers import ActivityHandlers, AppendHandlers, LogHandlers, PracticesHandlers
from services.audit.journal import Journal
from services.audit.own_records import OwnRecords
from services.audit.sequencer import CheckpointReader, Sequencer
from services.audit.signing import load_signer
from services.audit.sql import SqlLease, SqlLog
from services.audit.store import TileStore
from services.audit.tile_directory import DirectoryTiles
from services.audit.tile_s3 import S3Tiles, connect
from services.kit.assertion import AssertionVerifier
from services.kit.config import ConfigError
from services.kit.db import Database
from services.kit.keyring import Keyring
from services.kit.kms import root_key
from services.kit.main import Application, Runtime
from services.kit.outbox import Outbox
from services.kit.server import Handlers
from services.kit.telemetry import trace_engine
from services.kit.watch import RevocationState, Watch
from valv.audit.v1 import activity_pb2, append_pb2, log_pb2, practices_pb2

KEYS_REVISION = "0001"


async def build(config: Config, runtime: Runtime) -> Application:
    """Build the service."""
    clock, log = runtime.clock, runtime.log
    database, keys, heads_database = await _databases(config)
    outbox = Outbox(database, clock, runtime.ids)
    journal = Journal(outbox)
    records = SqlLog(database, clock, journal)
    keyring = Keyring(keys, root_key(config.root_key), "audit", clock)
    bodies = Bodies(keyring)
    tiles, checkpoint_store = _tiles(config.tiles), SqlCheckpoints(heads_database)
    signer = load_signer(config.log.signing_key_file, config.log.origin)
    lease = SqlLease(database, clock, runtime.ids.new("hld"))
    sequencer = Sequencer(signer, records, tiles, checkpoint_store, lease, log)
    heads = CheckpointReader(checkpoint_store, clock)
    appender = Appender(records, bodies, wire.event_of, sequencer.require_sound, sequencer.wake)
    state = RevocationState(clock)
    checks = Checks(records, heads, journal, clock, log)

    async def ready() -> None:
        await database.ping()
        sequencer.require_sound()

    async def stopped() -> None:
        await journal.stopped()
        for each in (database, keys, heads_database):
            await each.close()

    activity = Activity(records, bodies, keyring, heads, tiles)
    handlers: Handlers = {
        append_pb2.DESCRIPTOR.services_by_name["AppendService"]: AppendHandlers(appender),
        activity_pb2.DESCRIPTOR.services_by_name["ActivityService"]: ActivityHandlers(activity),
        log_pb2.DESCRIPTOR.services_by_name["LogService"]: LogHandlers(heads, tiles, signer.verifier.vkey),
        practices_pb2.DESCRIPTOR.services_by_name["PracticesService"]: PracticesHandlers(records, clock),
    }
    await journal.started()
    return Application(
        handlers=handlers,
        outbox=outbox,
        sender=OwnRecords(appender),
        verifier=AssertionVerifier(state, clock, config.public_url, config.audience),
        tasks=(appender.run, sequencer.run, checks.run, Watch(runtime.channels.get("auth"), state, clock).run),
        probes=(ready,),
        closers=(stopped,),
    )


async def _databases(config: Config) -> Sequence[Database]:
    database, keys, heads = (
        Database(each, trace_engine) for each in (config.database, config.keys_database, config.checkpoint_database)
    )
    await database.require_revision(sql.REVISION)
    await keys.require_revision(KEYS_REVISION)
    await heads.require_revision(checkpoints.REVISION)
    return database, keys, heads


def _tiles(config: TilesConfig) -> TileStore:
    if config.directory is not None:
        return DirectoryTiles(config.directory)
    if config.s3 is None:
        raise ConfigError("missing key: tiles")
    return S3Tiles(connect(config.s3), config.s3.bucket, config.s3.prefix)
