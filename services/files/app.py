"""Owns the composition of the files service: every part is made here and nowhere else."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from services.files import sql
from services.files.blobs_directory import DirectoryBlobs
from services.files.blobs_s3 import S3Blobs, connect
from services.files.checks import CiphertextCheck, OrphanedKeys, checks
from services.files.content import ContentHandlers
from services.files.erasure import Eraser
from services.files.handlers import ExportHandlers, FileHandlers
from services.files.keys import FileKeys
from services.files.keystore import KeyStore
from services.files.library import Library
from services.files.reconcile import Reconciler
from services.files.shredding import Shredder
from services.files.sql import KEYS_REVISION, MAIN_REVISION
from services.files.store import Quota, Store
from services.files.stores import Stores
from services.files.uploads import UploadLimits, Uploads
from services.files.workers import Workers
from services.kit.assertion import AssertionVerifier
from services.kit.db import Database
from services.kit.erasure import Follower
from services.kit.http import HttpSurface
from services.kit.keyring import Keyring
from services.kit.kms import root_key
from services.kit.main import Application, Runtime
from services.kit.outbox import Outbox
from services.kit.storage import Storage
from services.kit.store_leaks import StoreSearch
from services.kit.watch import RevocationState, Watch
from valv.auth.v1 import session_pb2
from valv.files.v1 import export_pb2, file_pb2

if TYPE_CHECKING:
    from services.files.blobs import BlobStore
    from services.files.config import BlobsConfig, Config
    from services.kit.clock import Clock

_FILES = file_pb2.DESCRIPTOR.services_by_name["FileService"]
_EXPORT = export_pb2.DESCRIPTOR.services_by_name["ExportService"]
_CONTENT = file_pb2.DESCRIPTOR.services_by_name["ContentService"]


async def build(config: Config, runtime: Runtime) -> Application:
    """Build the service."""
    clock, ids, log = runtime.clock, runtime.ids, runtime.log
    stores, keys_database = await _stores(config, clock)
    outbox = Outbox(stores.database, clock, ids)
    sessions = RevocationState(clock)
    verifier = AssertionVerifier(sessions, clock, config.public_url, "valv")
    library, shredder = Library(stores, clock), Shredder(stores)
    limits = UploadLimits(config.limits.max_file_bytes, config.reconcile.upload_grace_seconds)
    eraser = Eraser(stores, shredder, outbox, clock)
    auth = runtime.channels.get("auth")
    follower = Follower(stores.database, auth, eraser.erase, session_pb2.ERASURE_PHASE_DATA, log)
    await follower.load()
    uploads = Uploads(stores, shredder, clock, ids, secrets.token_bytes, limits)
    reconciler = Reconciler(stores, shredder, clock, log, config.reconcile)
    orphans = OrphanedKeys(stores, KeyStore(keys_database), clock)
    content = {_CONTENT: ContentHandlers(uploads, library)}

    async def followed() -> None:
        sessions.require_fresh()

    search = StoreSearch(stores.database, sql.metadata, (sql.files.c.manifest, sql.files.c.particulars))
    return Application(
        handlers={_FILES: FileHandlers(library, stores.rows, shredder), _EXPORT: ExportHandlers(library)},
        storage=Storage(runtime, outbox, search),
        verifier=verifier,
        tasks=(Watch(auth, sessions, clock, follower).run, follower.run, reconciler.run),
        probes=(stores.database.ping, keys_database.ping, followed),
        closers=(stores.workers.close, stores.database.close, keys_database.close),
        surfaces=(lambda chain: HttpSurface(chain, runtime.tls, ids, verifier, content, config.data_listen),),
        checks=checks(CiphertextCheck(stores, secrets.token_bytes), reconciler, orphans),
    )


async def _stores(config: Config, clock: Clock) -> tuple[Stores, Database]:
    """Open all that is kept; the keys database apart, for its probe."""
    database, keys_database = Database(config.database), Database(config.keys_database)
    await database.require_revision(MAIN_REVISION)
    await keys_database.require_revision(KEYS_REVISION)
    limits = config.limits
    workers = Workers(limits.threads)
    keyring = Keyring(keys_database, root_key(config.root_key), "files", clock)
    stores = Stores(
        database=database,
        rows=Store(Quota(limits.quota_bytes, limits.quota_files)),
        keys=FileKeys(KeyStore(keys_database), keyring, secrets.token_bytes),
        blobs=await workers.run(_blobs, config.blobs, limits.threads),
        workers=workers,
    )
    return stores, keys_database


def _blobs(config: BlobsConfig, connections: int) -> BlobStore:
    if config.s3 is not None:
        return S3Blobs(connect(config.s3, connections), config.s3.bucket, config.s3.prefix)
    if config.directory is not None:
        return DirectoryBlobs(config.directory)
    raise AssertionError
