"""Owns how spans leave the process: only allow-listed attributes, no event, no link, no text of an exception."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Status

ATTRIBUTES = frozenset(
    (
        *("rpc.method", "db.system.name", "db.operation.name"),
        *("valv.outcome", "valv.peer", "valv.reason"),
    )
)
"""Names a span may carry out of the process."""


class AllowListed(SpanExporter):
    """Removes from spans all that is not on the list, then hands them on."""

    def __init__(self, inner: SpanExporter) -> None:
        """Take the exporter behind."""
        self._inner = inner

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export stripped copies."""
        return self._inner.export([_stripped(span) for span in spans])

    def shutdown(self) -> None:
        """Close the exporter behind."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Flush the exporter behind."""
        return self._inner.force_flush(timeout_millis)


class FileExporter(SpanExporter):
    """Appends spans to a file, one JSON object a line."""

    def __init__(self, path: Path) -> None:
        """Open the file for appending; nobody else may read it."""
        path.touch(mode=0o600, exist_ok=True)
        self._file = path.open("a", encoding="utf-8")

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write the spans."""
        self._file.writelines(json.dumps(_line(span)) + "\n" for span in spans)
        self._file.flush()
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Close the file."""
        self._file.close()


def _stripped(span: ReadableSpan) -> ReadableSpan:
    kept = {name: value for name, value in (span.attributes or {}).items() if name in ATTRIBUTES}
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=kept,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _line(span: ReadableSpan) -> dict[str, object]:
    own, parent = span.context, span.parent
    return {
        "trace": f"{own.trace_id:032x}" if own else "",
        "span": f"{own.span_id:016x}" if own else "",
        "parent": f"{parent.span_id:016x}" if parent else "",
        "service": span.resource.attributes.get("service.name"),
        "name": span.name,
        "kind": span.kind.name.lower(),
        "status": span.status.status_code.name.lower(),
        "start_ns": span.start_time,
        "end_ns": span.end_time,
        "attributes": dict(span.attributes or {}),
    }
