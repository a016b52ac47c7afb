"""Owns what a process says about itself: JSON log lines and spans. Must never carry a value that a caller sent.

A line is a constant event name and allow-listed fields; a span is a constant name and allow-listed attributes, no
statement, no parameter. What other code puts in anyway is dropped before it leaves the process.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from services.kit.clock import Clock
from services.kit.config import ConfigError
from services.kit.faults import Fault
from services.kit.logline import FIELDS, JSONFormatter, KeepingHandler, RecentLines, checked
from services.kit.spans import AllowListed, FileExporter

_QUIET = ("stripe", "httpx", "httpcore", "urllib3", "botocore", "boto3", "aiohttp.access", "sqlalchemy", "aiosqlite")
_PROPAGATOR = TraceContextTextMapPropagator()
_NAME = "valv"


@dataclass(frozen=True)
class TelemetryConfig:
    """How much is logged ("DEBUG" to "ERROR"), and where spans go: a JSONL file, an OTLP gRPC collector, or nowhere."""

    level: str = "INFO"
    spans_file: Path | None = None
    otlp_endpoint: str | None = None


class Telemetry:
    """The logs and spans of the process. Made once, first of all."""

    def __init__(
        self,
        role: str,
        config: TelemetryConfig,
        clock: Clock,
        otlp: Callable[[str], SpanExporter] | None = None,
    ) -> None:
        """Send logs to standard error as JSON lines, libraries' from WARNING, and spans where the configuration says.

        Args:
            role: The process's role.
            config: The levels and places.
            clock: Limits how long the last flush may take.
            otlp: Makes an OTLP exporter for an endpoint (``otlp.py``); a process without one has no OTLP.

        Raises:
            ConfigError: The level is none, or an OTLP endpoint is given to a process that has no OTLP.
        """
        if config.level not in logging.getLevelNamesMapping():
            raise ConfigError("not valid: telemetry.level")
        if config.otlp_endpoint is not None and otlp is None:
            raise ConfigError("not valid: telemetry.otlp_endpoint (this service is built without OTLP)")
        self.recent = RecentLines()
        _send_logs(role, config.level, self.recent)
        exporters: list[SpanExporter] = []
        if config.spans_file is not None:
            exporters.append(FileExporter(config.spans_file))
        if config.otlp_endpoint is not None and otlp is not None:
            exporters.append(otlp(config.otlp_endpoint))
        self._clock = clock
        self._provider = provider(role, exporters) if exporters else None
        if self._provider is not None:
            trace.set_tracer_provider(self._provider)

    async def close(self) -> None:
        """Flush the spans; off the loop, since an exporter may wait for its collector."""
        if self._provider is not None:
            await asyncio.to_thread(self._provider.shutdown)


class Log:
    """A room's log. ``log.info("session opened", count=2)``."""

    def __init__(self, name: str, *, fields: Iterable[str] = ()) -> None:
        """Take the room's name and the field names it uses beside the common ones."""
        self._logger = logging.getLogger(f"{_NAME}.{name}")
        self._fields = FIELDS | frozenset(fields)

    def debug(self, name: str, **fields: object) -> None:
        """Write a line for whoever debugs this room."""
        self._write(logging.DEBUG, name, fields)

    def info(self, name: str, **fields: object) -> None:
        """Write a line about ordinary life."""
        self._write(logging.INFO, name, fields)

    def warning(self, name: str, **fields: object) -> None:
        """Write a line about something that should not last."""
        self._write(logging.WARNING, name, fields)

    def error(self, name: str, **fields: object) -> None:
        """Write a line about something that somebody must look at."""
        self._write(logging.ERROR, name, fields)

    def failure(self, name: str, error: BaseException, **fields: object) -> None:
        """Write a line with an exception's type and place; what it says is not printed."""
        self._write(logging.ERROR, name, fields, error)

    def _write(self, level: int, name: str, fields: Mapping[str, object], error: BaseException | None = None) -> None:
        if not self._logger.isEnabledFor(level):
            return
        kept: dict[str, object] = {}
        for field, value in fields.items():
            try:
                kept[field] = checked(self._fields, field, value)
            except ValueError:
                kept["dropped"] = True
                warnings.warn(f"log field refused: {field}", stacklevel=3)  # fails a test
        exc_info = None if error is None else (type(error), error, error.__traceback__)
        self._logger.log(level, name, exc_info=exc_info, extra={"valv_fields": kept})


def provider(role: str, exporters: Iterable[SpanExporter]) -> TracerProvider:
    """Return a tracer provider whose spans reach the exporters stripped; ``shutdown()`` flushes."""
    made = TracerProvider(resource=Resource({"service.name": role, "service.namespace": _NAME}), shutdown_on_exit=False)
    for exporter in exporters:
        made.add_span_processor(BatchSpanProcessor(AllowListed(exporter), schedule_delay_millis=500))
    return made


def trace_id() -> str:
    """Return the current trace's id, 32 hexadecimal digits; empty when there is none."""
    found = trace.get_current_span().get_span_context()
    return f"{found.trace_id:032x}" if found.is_valid else ""


@contextmanager
def server_span(name: str, metadata: Mapping[str, str]) -> Iterator[Span]:
    """Continue the caller's trace (W3C ``traceparent``), or begin one, around the serving of a call."""
    parent = _PROPAGATOR.extract(metadata)
    with tracer().start_as_current_span(
        name, parent, SpanKind.SERVER, record_exception=False, set_status_on_exception=False
    ) as span:
        yield span


@contextmanager
def store_span(system: str, operation: str) -> Iterator[None]:
    """Give a transaction a span, within a trace only: the database system and read or write; no statement."""
    if not trace.get_current_span().get_span_context().is_valid:
        yield
        return
    attributes = {"db.system.name": system, "db.operation.name": operation}
    span = tracer().start_span(f"store {operation}", kind=SpanKind.CLIENT, attributes=attributes)
    try:
        yield
    except BaseException as error:
        if not isinstance(error, Fault):  # a refusal is an answer: what was begun is undone
            span.set_status(Status(StatusCode.ERROR))
        raise
    finally:
        span.end()


@contextmanager
def inner_span(name: str) -> Iterator[Span]:
    """Mark a piece of work within the current trace, such as a turn of a background task."""
    with tracer().start_as_current_span(name, record_exception=False, set_status_on_exception=False) as span:
        yield span


def client_span(name: str, carrier: MutableMapping[str, str]) -> Span:
    """Begin a span for an outgoing call and write its ``traceparent``; the caller ends it."""
    span = tracer().start_span(name, kind=SpanKind.CLIENT)
    _PROPAGATOR.inject(carrier, trace.set_span_in_context(span))
    return span


def annotate(span: Span, *, method: str, peer: str, outcome: str) -> None:
    """Say on a call's span how it ended; an outcome other than "OK" is a stable reason."""
    span.set_attributes({"rpc.method": method, "valv.peer": peer, "valv.outcome": outcome})
    span.set_status(Status(StatusCode.OK if outcome == "OK" else StatusCode.ERROR))


def tracer() -> trace.Tracer:
    """Return what makes our spans."""
    return _tracer_of(trace.get_tracer_provider())


@lru_cache(maxsize=1)
def _tracer_of(made_by: trace.TracerProvider) -> trace.Tracer:
    """Return the provider's tracer: OpenTelemetry makes one anew each time it is asked."""
    return made_by.get_tracer(_NAME)


def _send_logs(role: str, level: str, recent: RecentLines) -> None:
    handler = KeepingHandler(sys.stderr, recent)
    handler.setFormatter(JSONFormatter(role, trace_id))
    logging.captureWarnings(capture=True)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(_NAME).setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
