"""Owns the gateway's gRPC services, whose contracts are Envoy's: discovery, authorization, spans.

Must admit Envoy alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
from envoy.service.auth.v3 import external_auth_pb2
from envoy.service.discovery.v3 import discovery_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from services.gateway.authz import refused
from services.gateway.contracts import EDGE_ROLE
from services.kit import context as kit_context
from services.kit import telemetry
from services.kit.faults import INTERNAL, PERMISSION_DENIED, Fault
from services.kit.server import caller_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.gateway.authz import Authorizer
    from services.gateway.traces import Spans
    from services.gateway.xds.ads import Ads
    from services.kit.server import Registered
    from services.kit.telemetry import Log

DISCOVERY = "envoy.service.discovery.v3.AggregatedDiscoveryService"
AUTHORIZATION = "envoy.service.auth.v3.Authorization"
TRACES = "opentelemetry.proto.collector.trace.v1.TraceService"
METHODS = frozenset((f"/{DISCOVERY}/StreamAggregatedResources", f"/{AUTHORIZATION}/Check", f"/{TRACES}/Export"))
Context = grpc.aio.ServicerContext[Any, Any]


class EnvoyServices:
    """Registers the services with the kit's server."""

    def __init__(self, ads: Ads, authorizer: Authorizer, spans: Spans, trust_domain: str, log: Log) -> None:
        """Take what answers, and the trust domain whose Envoy may ask."""
        self._ads, self._authorizer, self._spans = ads, authorizer, spans
        self._trust_domain, self._log = trust_domain, log

    @property
    def methods(self) -> frozenset[str]:
        """What it registers."""
        return METHODS

    def __call__(self, server: Registered) -> None:
        """Add them to a server."""
        stream = grpc.stream_stream_rpc_method_handler(
            self._stream,
            discovery_pb2.DiscoveryRequest.FromString,
            discovery_pb2.DiscoveryResponse.SerializeToString,
        )
        check = grpc.unary_unary_rpc_method_handler(
            self._check,
            external_auth_pb2.CheckRequest.FromString,
            external_auth_pb2.CheckResponse.SerializeToString,
        )
        export = grpc.unary_unary_rpc_method_handler(
            self._export,
            trace_service_pb2.ExportTraceServiceRequest.FromString,
            trace_service_pb2.ExportTraceServiceResponse.SerializeToString,
        )
        server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(DISCOVERY, {"StreamAggregatedResources": stream}),
                grpc.method_handlers_generic_handler(AUTHORIZATION, {"Check": check}),
                grpc.method_handlers_generic_handler(TRACES, {"Export": export}),
            )
        )

    async def _stream(self, requests: AsyncIterator[discovery_pb2.DiscoveryRequest], context: Context) -> None:
        await self._require_envoy(context)
        await self._ads.stream(requests, context.write)

    async def _check(
        self, request: external_auth_pb2.CheckRequest, context: Context
    ) -> external_auth_pb2.CheckResponse:
        await self._require_envoy(context)
        request_id = request.attributes.request.http.headers.get("x-request-id", "")
        kit_context.request_id.set(request_id)
        metadata = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        with telemetry.server_span(f"/{AUTHORIZATION}/Check", metadata):
            try:
                return await self._authorizer.check(request)
            except Exception as error:  # noqa: BLE001 - the boundary: logged here, told to nobody
                self._log.failure("a session check failed", error)
                return refused(Fault(INTERNAL), request_id, cookies=False)

    async def _export(
        self, request: trace_service_pb2.ExportTraceServiceRequest, context: Context
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        await self._require_envoy(context)
        return await self._spans.export(request)

    async def _require_envoy(self, context: Context) -> None:
        try:
            admitted = caller_of(context, self._trust_domain).role == EDGE_ROLE
        except Fault:
            admitted = False
        if not admitted:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, PERMISSION_DENIED.message)
