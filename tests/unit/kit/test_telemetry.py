"""What a process says about itself, and what it never says."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from services.kit import context, otlp, telemetry
from services.kit.config import ConfigError
from services.kit.db import Database, DatabaseConfig
from services.kit.faults import NOT_FOUND, Fault
from services.kit.logline import JSONFormatter
from services.kit.secret import Secret
from services.kit.spans import AllowListed, FileExporter
from services.kit.telemetry import Log, Telemetry, TelemetryConfig
from tests.support.clock import FakeClock

CANARY = "canary-4242"
TRACE = "0af7651916cd43dd8448eb211c80319c"


class Lines(logging.Handler):
    """Keeps formatted lines."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JSONFormatter("auth", telemetry.trace_id))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def last(self) -> dict[str, object]:
        return dict(json.loads(self.lines[-1]))


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler = Lines()
    root, level = logging.getLogger(), logging.getLogger("valv").level
    root.addHandler(handler)
    logging.getLogger("valv").setLevel("DEBUG")
    yield handler
    root.removeHandler(handler)
    logging.getLogger("valv").setLevel(level)


def test_a_line_is_an_event_with_fields_and_the_request_it_belongs_to(lines: Lines) -> None:
    token = context.request_id.set("req_1")
    with telemetry.server_span("call", {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}):
        Log("auth").info("a session was opened", count=2, reason="OK")
    context.request_id.reset(token)
    line = lines.last()
    assert line["event"] == "a session was opened"
    assert (line["count"], line["reason"], line["level"], line["role"]) == (2, "OK", "INFO", "auth")
    assert (line["request_id"], line["trace_id"]) == ("req_1", TRACE)
    assert datetime.fromisoformat(str(line["time"])).tzinfo == UTC


@pytest.mark.clause("P6", "ASVS 16.4.1")
@pytest.mark.parametrize(
    "field,value",
    [
        ("password", CANARY),
        ("reason", Secret(CANARY)),
        ("reason", [CANARY]),
        ("reason", {"a": CANARY}),
        ("reason", CANARY.encode()),
        ("reason", CANARY + "\n{}"),
        ("reason", CANARY * 30),
    ],
)
def test_a_field_off_the_list_or_not_a_scalar_is_dropped_and_fails_a_test(
    lines: Lines, field: str, value: object
) -> None:
    with pytest.warns(UserWarning, match=f"^log field refused: {field}$"):
        Log("auth").info("event", **{field: value})
    assert CANARY not in lines.lines[-1]
    assert lines.last()["dropped"] is True


def test_a_room_declares_the_fields_it_adds(lines: Lines) -> None:
    Log("audit", fields=["leaf"]).info("event", leaf=7, expires=datetime(2026, 1, 1, tzinfo=UTC))
    assert lines.last()["leaf"] == 7
    assert lines.last()["expires"] == "2026-01-01T00:00:00+00:00"


@pytest.mark.clause("P6", "ASVS 16.2.5")
def test_an_exception_is_its_type_and_place_without_what_it_says(lines: Lines) -> None:
    try:
        try:
            int(CANARY)
        except ValueError as inner:
            raise RuntimeError(CANARY) from inner
    except RuntimeError as error:
        Log("auth").failure("it failed", error)
    assert CANARY not in lines.lines[-1]
    shown = json.dumps(lines.last()["exception"])
    assert "builtins.RuntimeError" in shown
    assert "builtins.ValueError" in shown
    assert "test_telemetry.py" in shown


@pytest.mark.clause("P6", "ASVS 16.2.5")
def test_what_a_library_interpolates_is_not_printed(lines: Lines) -> None:
    library = logging.getLogger("some.library")
    library.warning("got %s", CANARY)
    assert lines.last()["template"] == "got %s"
    library.warning(f"got {CANARY}")
    try:
        int(CANARY)
    except ValueError:
        library.exception("failed with %s", CANARY)
    assert not any(CANARY in line for line in lines.lines)


@pytest.fixture
def bare_logging() -> Iterator[None]:
    """Undo what a process does to the logging of its interpreter."""
    root = logging.getLogger()
    handlers, level, valv = root.handlers[:], root.level, logging.getLogger("valv").level
    yield
    root.handlers[:], root.level = handlers, level
    logging.getLogger("valv").setLevel(valv)
    logging.captureWarnings(capture=False)


@pytest.mark.usefixtures("bare_logging")
async def test_a_process_logs_json_to_standard_error_and_hushes_libraries(capfd: pytest.CaptureFixture[str]) -> None:
    handler_stream = sys.stderr
    process = Telemetry("files", TelemetryConfig("DEBUG"), FakeClock())
    Log("files").debug("hello")
    for name in ("stripe", "httpx", "botocore", "any"):
        logging.getLogger(name).info(CANARY)
        logging.getLogger(name).debug(CANARY)
    await process.close()
    handler_stream.flush()
    out = capfd.readouterr()
    assert out.out == ""
    (line,) = out.err.splitlines()
    assert json.loads(line)["event"] == "hello"


@pytest.mark.usefixtures("bare_logging")
@pytest.mark.parametrize("config", [TelemetryConfig("LOUD"), TelemetryConfig(otlp_endpoint="https://c:4317")])
def test_a_configuration_it_cannot_follow_is_refused(config: TelemetryConfig) -> None:
    with pytest.raises(ConfigError, match="telemetry"):
        Telemetry("files", config, FakeClock())


@pytest.fixture
def spans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file that spans of this test go to."""
    path = tmp_path / "spans.jsonl"
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(AllowListed(FileExporter(path))))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    yield path
    provider.shutdown()


def read(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_call_and_its_transactions_are_one_trace_without_values(spans: Path, tmp_path: Path) -> None:
    asyncio.run(_transact(Database(DatabaseConfig(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}"))))
    store, failed, refused, call = read(spans)
    assert {one["trace"] for one in (store, failed, refused, call)} == {TRACE}
    assert (store["name"], store["parent"]) == ("store read", call["span"])
    assert store["attributes"] == {"db.system.name": "sqlite", "db.operation.name": "read"}
    assert [one["status"] == "error" for one in (store, failed, refused, call)] == [False, True, False, False]
    assert CANARY not in spans.read_text()
    assert spans.stat().st_mode & 0o077 == 0


async def _transact(database: Database) -> None:
    await database.ping()  # outside a trace
    with telemetry.server_span("/valv.x/Y", {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}) as span:
        telemetry.annotate(span, method="/valv.x/Y", peer="envoy", outcome="OK")
        async with database.read() as connection:
            await connection.execute(text("SELECT :secret"), {"secret": CANARY})
        with pytest.raises(OperationalError):
            async with database.write() as connection:
                await connection.execute(text(f"SELECT '{CANARY}' FROM nowhere"))  # noqa: S608 - a careless statement
        with pytest.raises(Fault):
            async with database.write():
                raise Fault(NOT_FOUND)
    await database.close()


@pytest.mark.clause("P6")
def test_what_other_code_puts_into_a_span_does_not_leave(spans: Path) -> None:

    def careless() -> None:
        with trace.get_tracer("other").start_as_current_span("work", attributes={"http.url": CANARY}) as span:
            span.add_event(CANARY, {"valv.reason": CANARY})
            raise ValueError(CANARY)

    with pytest.raises(ValueError, match=CANARY):
        careless()
    (line,) = read(spans)
    assert line["attributes"] == {}
    assert CANARY not in spans.read_text()


def test_an_outgoing_call_carries_the_trace(spans: Path) -> None:
    carrier: dict[str, str] = {}
    with telemetry.server_span("call", {}):
        telemetry.client_span("other", carrier).end()
        assert carrier["traceparent"].split("-")[1] == telemetry.trace_id()
    client, server = read(spans)
    assert (client["kind"], client["parent"]) == ("client", server["span"])


def test_otlp_leaves_the_machine_over_tls_only() -> None:
    for endpoint in ("http://collector.example:4317", "http://10.0.0.1:4317", "collector:4317", "https://collector"):
        with pytest.raises(ValueError, match=r"OTLP|not appear to be"):
            otlp.exporter(endpoint, development=True)
    with pytest.raises(ValueError, match="TLS"):
        otlp.exporter("http://127.0.0.1:4317", development=False)
    for endpoint in ("http://127.0.0.1:4317", "https://collector.example:4317"):
        otlp.exporter(endpoint, development=True).shutdown()
