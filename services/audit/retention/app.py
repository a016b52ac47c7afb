"""The putting together of retention, for the service's composition root.

Owns which part gets which other part. Decides nothing else.
"""

import random
from dataclasses import dataclass
from datetime import timedelta

from services.audit.bodies import Bodies
from services.audit.erasure import Eraser, Openers
from services.audit.heads import CheckpointReader
from services.audit.journal import Journal
from services.audit.place import PlaceConfig
from services.audit.retention import held, security
from services.audit.retention.cold import ColdBodies, ColdStore
from services.audit.retention.cold_directory import ColdDirectory
from services.audit.retention.cold_s3 import ColdS3
from services.audit.retention.handlers import HoldHandlers, RetentionHandlers
from services.audit.retention.held import HeldBodies
from services.audit.retention.holds import Holds
from services.audit.retention.minimum import Minimum, Receipts
from services.audit.retention.policy import RetentionConfig
from services.audit.retention.release import Releaser
from services.audit.retention.security import SecurityReader, SecurityRecords
from services.audit.retention.sql_erasures import SqlErasures
from services.audit.retention.sql_holds import HoldsIn, SqlHolds
from services.audit.retention.sql_sweep import SqlSweep
from services.audit.retention.sweep import Sweeper
from services.audit.retention.upkeep import Upkeep
from services.audit.sql_lease import RETENTION, SqlLease
from services.audit.tile_s3 import connect
from services.kit.checks import Check
from services.kit.config import ConfigError
from services.kit.db import Database
from services.kit.envelope import RootKey
from services.kit.keyring import Keyring
from services.kit.main import Runtime
from services.kit.outbox import Outbox
from services.kit.server import Handlers
from valv.audit.v1 import hold_pb2, retention_pb2

_EARLIEST = 3600.0
"""A sweep may come so many seconds early, so that installations do not all sweep at once."""


@dataclass(frozen=True)
class Remains:
    """What stays of people who were erased, and of what is not at hand: its keys, and what opens it."""

    periods: Keyring
    security: SecurityRecords
    hold_keys: Keyring
    held: HeldBodies
    holds: SqlHolds
    sweeps: SqlSweep
    cold: ColdBodies


def remains(
    config: RetentionConfig, runtime: Runtime, keys: Database, root: RootKey, database: Database, journal: Journal
) -> Remains:
    """Put together what opens what stays."""
    hold_keys = Keyring(keys, root, held.KEYS, runtime.clock)
    periods = Keyring(keys, root, security.KEYS, runtime.clock)
    holds, sweeps = SqlHolds(database, journal), SqlSweep(database, journal)
    cold = ColdBodies(_cold(config.cold), periods, sweeps)
    return Remains(periods, SecurityRecords(periods), hold_keys, HeldBodies(hold_keys), holds, sweeps, cold)


def _cold(config: PlaceConfig | None) -> ColdStore | None:
    if config is None:
        return None
    if config.directory is not None:
        return ColdDirectory(config.directory)
    if config.s3 is None:
        raise ConfigError("missing key: retention.cold")
    return ColdS3(connect(config.s3), config.s3.bucket, config.s3.prefix)


@dataclass(frozen=True)
class Retention:
    """All that retention needs: what erases, what serves, what runs beside it, what the public log is denied."""

    eraser: Eraser
    handlers: Handlers
    upkeep: Upkeep
    minimum: Minimum
    checks: tuple[Check, ...]


def retention(
    config: RetentionConfig,
    runtime: Runtime,
    outbox: Outbox,
    bodies: Bodies,
    keyring: Keyring,
    heads: CheckpointReader,
    receipts: Receipts,
    left: Remains,
) -> Retention:
    """Put retention together, over the outbox's database."""
    clock, log, database = runtime.clock, runtime.log, outbox.database
    records, holds = SqlErasures(database, clock), left.holds
    sweeper = Sweeper(left.sweeps, holds, left.periods, left.cold, heads, config, clock)
    reader = SecurityReader(records, left.security, left.held)
    releaser = Releaser(holds, left.held, left.hold_keys)
    lease = SqlLease(database, clock, runtime.ids.new("hld"), RETENTION)
    return Retention(
        eraser=Eraser(records, Openers(bodies, left.security, holds, left.held), keyring, outbox, log),
        handlers={
            hold_pb2.DESCRIPTOR.services_by_name["HoldService"]: HoldHandlers(
                Holds(holds, clock, runtime.ids), HoldsIn
            ),
            retention_pb2.DESCRIPTOR.services_by_name["RetentionService"]: RetentionHandlers(sweeper, config, reader),
        },
        upkeep=Upkeep(lease, releaser, sweeper, _jitter, log),
        minimum=Minimum(left.sweeps, heads, receipts, prune=config.prune),
        checks=(Check("audit.retention_sweep", sweeper.age_minutes),),
    )


def _jitter() -> timedelta:
    return timedelta(seconds=random.uniform(0, _EARLIEST))  # noqa: S311 - jitter
