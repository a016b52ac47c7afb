"""The putting together of the export, for the service's composition root.

Owns which part gets which other part. Decides nothing else.
"""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.audit.journal import Journal
from services.audit.siem.batches import Batches, Bodies
from services.audit.siem.config import SiemConfig
from services.audit.siem.directory import DirectorySink
from services.audit.siem.exporter import Exporter
from services.audit.siem.https import HttpsSink
from services.audit.siem.sql import SqlExports
from services.audit.siem.store import Heads, Route, Sink
from services.audit.sql_lease import SIEM_DIRECTORY, SIEM_HTTPS, SqlLease
from services.kit.config import ConfigError
from services.kit.db import Database
from services.kit.main import Runtime
from services.kit.secret import Secret


@dataclass(frozen=True)
class Exports:
    """What the export runs, and what is closed at the end."""

    tasks: tuple[Callable[[], Coroutine[Any, Any, None]], ...] = ()
    closers: tuple[Callable[[], Awaitable[None]], ...] = ()


def exports(
    config: SiemConfig | None, database: Database, bodies: Bodies, heads: Heads, journal: Journal, runtime: Runtime
) -> Exports:
    """Put the configured exports together; none by default."""
    if config is None:
        return Exports()
    clock, log = runtime.clock, runtime.log
    store = SqlExports(database, clock, journal)
    batches = Batches(store, bodies, clock, log)

    def exporter(name: str, lease: str, sink: Sink) -> Exporter:
        held = SqlLease(database, clock, runtime.ids.new("hld"), lease)
        return Exporter(Route(name, sink, config.batch), batches, store, heads, held, journal, clock, log)

    tasks: list[Callable[[], Coroutine[Any, Any, None]]] = []
    closers: list[Callable[[], Awaitable[None]]] = []
    if config.url:
        token = _token(config.token_file) if config.token_file is not None else None
        collector = HttpsSink(config.url, config.ca_file, token, config.timeout_seconds)
        tasks.append(exporter("https", SIEM_HTTPS, collector).run)
        closers.append(collector.close)
    if config.directory is not None:
        folder = DirectorySink(config.directory, config.rotate_bytes)
        tasks.append(exporter("directory", SIEM_DIRECTORY, folder).run)
    return Exports(tuple(tasks), tuple(closers))


def _token(path: Path) -> Secret:
    token = path.read_bytes().strip()
    if not token:
        raise ConfigError("siem.token_file is empty")
    return Secret(token)
