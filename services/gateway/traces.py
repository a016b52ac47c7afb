"""Owns Envoy's own spans on their way to wherever the gateway's go. Must never pass on an attribute of theirs.

Envoy writes addresses of requests into its spans; what leaves here is names (route templates), ids, times and outcome.
"""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from services.gateway.contracts import EDGE_ROLE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.proto.trace.v1.trace_pb2 import Span
    from opentelemetry.sdk.trace.export import SpanExporter

MOST_SPANS = 2048
LONGEST_NAME = 128
_KINDS = {2: SpanKind.SERVER, 3: SpanKind.CLIENT}
_ERROR = 2
_RESOURCE = Resource({"service.name": EDGE_ROLE, "service.namespace": "valv"})


class Spans:
    """Takes what Envoy exports."""

    def __init__(self, exporters: Sequence[SpanExporter], show: Callable[[Span], None]) -> None:
        """Take where spans go, which may be nowhere, and whom each is shown to."""
        self._exporters, self._show = tuple(exporters), show

    async def export(
        self, request: trace_service_pb2.ExportTraceServiceRequest
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        """Pass the spans on. Exporters may block, so they run off the loop."""
        sent = (span for group in request.resource_spans for scope in group.scope_spans for span in scope.spans)
        spans = []
        for span in islice(sent, MOST_SPANS):
            self._show(span)
            spans.append(_readable(span))
        for exporter in self._exporters:
            await asyncio.to_thread(exporter.export, spans)
        return trace_service_pb2.ExportTraceServiceResponse()

    async def close(self) -> None:
        """Close the exporters."""
        for exporter in self._exporters:
            await asyncio.to_thread(exporter.shutdown)


def _readable(span: Span) -> ReadableSpan:
    parent = _context(span.trace_id, span.parent_span_id) if span.parent_span_id else None
    return ReadableSpan(
        name=span.name[:LONGEST_NAME],
        context=_context(span.trace_id, span.span_id),
        parent=parent,
        resource=_RESOURCE,
        kind=_KINDS.get(span.kind, SpanKind.INTERNAL),
        status=Status(StatusCode.ERROR if span.status.code == _ERROR else StatusCode.UNSET),
        start_time=span.start_time_unix_nano,
        end_time=span.end_time_unix_nano,
    )


def _context(trace_id: bytes, span_id: bytes) -> SpanContext:
    sampled = TraceFlags(TraceFlags.SAMPLED)
    return SpanContext(int.from_bytes(trace_id), int.from_bytes(span_id), is_remote=True, trace_flags=sampled)
