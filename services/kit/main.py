"""Owns the life of a service process: flags, configuration, start, readiness, signals, drain. One way for all."""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import os
import random
import resource
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from services.kit import own_checks
from services.kit.chain import Chain
from services.kit.checks import Checks
from services.kit.clients import Channels, PeersConfig
from services.kit.clock import Clock, SystemClock
from services.kit.config import ConfigError, Profile, ServiceConfig, load
from services.kit.ids import Ids
from services.kit.metrics import Meters, PracticeGauges
from services.kit.otlp import exporter, metric_exporter
from services.kit.server import HEALTH, Foreign, Handlers, Server
from services.kit.telemetry import Log, Telemetry, TelemetryConfig
from services.kit.tls import TLSConfig, TLSMaterial

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence

    from opentelemetry.metrics import Meter

    from services.kit.assertion import AssertionVerifier
    from services.kit.checks import Check, ChecksConfig, Finding
    from services.kit.logline import RecentLines
    from services.kit.storage import Storage

PROBE_SECONDS = 1.0


class Config(Protocol):
    """What every service's configuration holds."""

    @property
    def service(self) -> ServiceConfig: ...  # noqa: D102 - named by its type
    @property
    def tls(self) -> TLSConfig: ...  # noqa: D102 - the class says what they are
    @property
    def telemetry(self) -> TelemetryConfig: ...  # noqa: D102 - the class says what they are
    @property
    def peers(self) -> PeersConfig: ...  # noqa: D102 - the class says what they are
    @property
    def checks(self) -> ChecksConfig: ...  # noqa: D102 - the class says what they are


C = TypeVar("C", bound=Config)


@dataclass
class Runtime:
    """What the kit gives a service to build itself from."""

    role: str
    clock: Clock
    ids: Ids
    tls: TLSMaterial
    channels: Channels
    log: Log
    meter: Meter


@dataclass
class Application:
    """A built service: what it serves, what runs beside it, what must hold for it to be ready, what it checks."""

    handlers: Handlers = field(default_factory=dict)
    foreign: Sequence[Foreign] = ()
    storage: Storage | None = None
    verifier: AssertionVerifier | None = None
    tasks: Sequence[Callable[[], Coroutine[Any, Any, None]]] = ()
    probes: Sequence[Callable[[], Awaitable[None]]] = ()
    closers: Sequence[Callable[[], Awaitable[None]]] = ()
    surfaces: Sequence[Callable[[Chain], Surface]] = ()
    checks: Sequence[Check] = ()
    found: Callable[[Finding], Awaitable[None]] | None = None
    """Records what a check found, where there is no storage."""


class Surface(Protocol):
    """Another listener of the process, such as the files data plane; its calls go through the same chain."""

    @property
    def listens(self) -> tuple[str, ...]:
        """Every ``host:port`` at which it listens."""
        ...

    @property
    def methods(self) -> frozenset[str]:
        """Full names of the methods it serves."""
        ...

    async def start(self) -> None:
        """Listen."""
        ...

    async def stop(self, grace: float) -> None:
        """Refuse new calls, let the running ones end within ``grace`` seconds, then cut them."""
        ...


def run(role: str, config_type: type[C], build: Callable[[C, Runtime], Awaitable[Application]]) -> int:
    """Run a service until it is told to stop; returns the exit code."""
    parser = argparse.ArgumentParser(prog=f"valv-{role}")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--check-config", action="store_true", help="read the configuration and end")
    flags = parser.parse_args()
    try:
        config = load(config_type, flags.config)
    except ConfigError as error:
        sys.stderr.write(f"{flags.config}: {error}\n")
        return 2
    if flags.check_config:
        return 0
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.enable()  # what a native library's fault leaves: lines of code, no values
    return asyncio.run(serve(role, config, build))


async def serve(role: str, config: C, build: Callable[[C, Runtime], Awaitable[Application]]) -> int:
    """Build the service, serve until a signal, drain."""
    clock = SystemClock()
    ids = Ids(clock)
    development = config.service.profile is Profile.DEVELOPMENT
    telemetry = Telemetry(role, config.telemetry, clock, lambda endpoint: exporter(endpoint, development=development))
    collector = config.telemetry.otlp_endpoint
    meters = Meters(role, None if collector is None else metric_exporter(collector, development=development))
    log = Log(role)
    tls = TLSMaterial(config.tls, clock)
    channels = Channels(tls, config.peers, clock)
    runtime = Runtime(role, clock, ids, tls, channels, log, meters.meter)
    application = await build(config, runtime)
    process = _Process(config, application, runtime, telemetry.recent)
    try:
        return await process.run()
    finally:
        for close in (*application.closers, channels.close, meters.close, telemetry.close):
            await close()
        log.info("stopped")


class _Process:
    def __init__(self, whole: Config, application: Application, runtime: Runtime, recent: RecentLines) -> None:
        self._config = config = whole.service
        self._application, self._runtime = application, runtime
        storage = application.storage
        outbox, refusals = (storage.outbox, storage.refusals) if storage is not None else (None, None)
        chain = Chain(runtime.clock, runtime.log, outbox, refusals, application.verifier, config.max_calls)
        self._server = Server(chain, runtime.tls, runtime.ids, max_calls=config.max_calls * 2)
        self._server.add(application.handlers, application.foreign)
        self._surfaces = [make(chain) for make in application.surfaces]
        self._checks = self._checking(whole.checks, PracticeGauges(runtime.meter), recent)
        self._ready = False

    async def run(self) -> int:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        tasks = {asyncio.create_task(work) for work in self._work()}
        stopping: asyncio.Task[Any] = asyncio.create_task(stop.wait())
        try:
            for surface in self._surfaces:
                await surface.start()
            await self._server.start(self._config.listen)
            self._runtime.log.info("listening", listen=self._config.listen)
            done, _ = await asyncio.wait({*tasks, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return self._verdict(done - {stopping})
        finally:
            stopping.cancel()
            await self._drain(tasks)

    def _work(self) -> list[Coroutine[Any, Any, None]]:
        application = self._application
        work = [task() for task in (*application.tasks, self._probe)]
        if application.storage is not None:
            work += application.storage.work()
        if self._checks is not None:
            work.append(self._checks.run())
        return work

    def _checking(self, config: ChecksConfig, gauges: PracticeGauges, recent: RecentLines) -> Checks | None:
        """Return the live checks, the service's own and those of any process; None where results cannot be recorded."""
        application, runtime, storage = self._application, self._runtime, self._application.storage
        found = application.found if storage is None else storage.found
        if found is None:
            return None
        foreign = HEALTH.union(*(one.methods for one in application.foreign))
        process = own_checks.Process(
            role=runtime.role,
            clock=runtime.clock,
            tls=runtime.tls,
            config=config,
            recent=recent,
            declared=(self._config.listen, *(address for one in self._surfaces for address in one.listens)),
            served=lambda: self._server.served.union(*(one.methods for one in self._surfaces)),
            foreign=foreign,
        )
        stored = () if storage is None else storage.checks()
        checks = [*application.checks, *own_checks.of_process(process), *stored]
        return Checks(checks, found, gauges.show, config, runtime.log, random.SystemRandom().random)

    def _verdict(self, ended: Iterable[asyncio.Task[Any]]) -> int:
        """A task that ends by itself is a fault of ours: the process ends rather than serve half."""
        for task in ended:
            error = task.exception()
            self._runtime.log.failure("a task ended", error or RuntimeError())
        return 1 if ended else 0

    async def _probe(self) -> None:
        while True:
            ready = True
            for probe in self._application.probes:
                try:
                    await asyncio.wait_for(probe(), PROBE_SECONDS * 5)
                except Exception as error:  # noqa: BLE001 - whatever it is, the process is not ready
                    ready = False
                    if self._ready:
                        self._runtime.log.failure("not ready", error)
            if ready is not self._ready:
                self._ready = ready
                await self._server.serving(yes=ready)
                self._runtime.log.info("serving" if ready else "not serving")
            await asyncio.sleep(PROBE_SECONDS if ready else PROBE_SECONDS / 5)

    async def _drain(self, tasks: set[asyncio.Task[None]]) -> None:
        await self._server.serving(yes=False)
        await asyncio.sleep(self._config.drain_seconds)
        await asyncio.gather(
            self._server.stop(self._config.grace_seconds),
            *(surface.stop(self._config.grace_seconds) for surface in self._surfaces),
        )
        if self._application.storage is not None:
            await self._application.storage.close()
        left = set(tasks)
        while left:  # once is not enough: a wait that ends in the same moment can swallow it
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=1)
        await asyncio.gather(*tasks, return_exceptions=True)
