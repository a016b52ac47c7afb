"""Owns what auth keeps things in: its two databases, the keys in one of them, and what replicas share beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.auth.links.grants import PURPOSE as LINKS_KEYS
from services.auth.replicas import Replicas
from services.auth.sql import SqlUnits, SqlWork
from services.kit.db import Database
from services.kit.envelope import FileRootKey, RootKeyError
from services.kit.keyring import Keyring
from services.kit.outbox import Outbox

if TYPE_CHECKING:
    from services.auth.config import Config
    from services.auth.store import Work
    from services.kit.call import Call
    from services.kit.main import Runtime

REVISION = "0007"
KEYS_REVISION = "0001"


@dataclass(frozen=True)
class Stores:
    """Everything that auth keeps, and what its replicas share."""

    database: Database
    keys: Database
    outbox: Outbox
    units: SqlUnits
    keyring: Keyring
    link_keys: Keyring
    shared: Replicas

    def work(self, call: Call) -> Work:
        """Return the transaction of a call."""
        return SqlWork(call, self.outbox)

    async def close(self) -> None:
        """Give up connections."""
        await self.shared.close()
        await self.database.close()
        await self.keys.close()


async def open_stores(config: Config, runtime: Runtime) -> Stores:
    """Open them.

    Raises:
        SchemaError: A database is not migrated.
        RootKeyError: The root key cannot be used.
    """
    database, keys = Database(config.database), Database(config.keys_database)
    await database.require_revision(REVISION)
    await keys.require_revision(KEYS_REVISION)
    outbox = Outbox(database, runtime.clock, runtime.ids)
    keyring, link_keys = (Keyring(keys, _root_key(config), one, runtime.clock) for one in ("auth", LINKS_KEYS))
    shared = Replicas(config, database, runtime.clock)
    return Stores(database, keys, outbox, SqlUnits(database, outbox), keyring, link_keys, shared)


def _root_key(config: Config) -> FileRootKey:
    if config.root_key.file is None:
        raise RootKeyError("root_key.file is missing")
    return FileRootKey(config.root_key.file)
