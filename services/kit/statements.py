"""Owns the spans of a database's statements: the operation's name. Must never carry a statement, nor a parameter."""

from __future__ import annotations

from typing import Any

from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext

from services.kit.telemetry import tracer

_OPERATIONS = frozenset(("SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "PRAGMA", "NOTIFY", "LISTEN"))


def trace_engine(engine: Engine) -> None:
    """Give each statement of an engine a span, within a trace only: the operation's name; no table, no parameter."""
    system = engine.dialect.name

    def before(_connection: Any, _cursor: Any, statement: str, _parameters: Any, execution: Any, _many: Any) -> None:
        if execution is None or not trace.get_current_span().get_span_context().is_valid:
            return
        word = next(iter(statement.split(maxsplit=1)), "").upper()
        operation = word if word in _OPERATIONS else "OTHER"
        attributes = {"db.system.name": system, "db.operation.name": operation}
        name = f"store {operation.lower()}"
        execution.valv_span = tracer().start_span(name, kind=SpanKind.CLIENT, attributes=attributes)

    def after(_connection: Any, _cursor: Any, _statement: Any, _parameters: Any, execution: Any, _many: Any) -> None:
        span = getattr(execution, "valv_span", None)
        if span is not None:
            span.end()

    def wrong(failure: ExceptionContext) -> None:
        span = getattr(failure.execution_context, "valv_span", None)
        if span is not None:
            span.set_status(Status(StatusCode.ERROR))
            span.end()

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    event.listen(engine, "handle_error", wrong)
