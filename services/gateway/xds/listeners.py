"""Owns the public listener: TLS, limits, access log, tracing. What changes while it runs is in RDS, SDS, ECDS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.gateway.xds.names import ADS, CONTROL_PLANE
from services.gateway.xds.protos import Table, extension, typed
from services.gateway.xds.replies import local_reply_config

if TYPE_CHECKING:
    from pathlib import Path

PUBLIC = "public"
CNSA1_202603 = 2  # TlsParameters.CompliancePolicy, newer than xds-protos: 256-bit suites only
MIB = 1 << 20
_HCM = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_EARLY = "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation"
_TLS = "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
_FILE_LOG = "envoy.extensions.access_loggers.file.v3.FileAccessLog"
_TRACER = "envoy.config.trace.v3.OpenTelemetryConfig"

# Set by the edge and believed by the services, or able to steer Envoy: never taken from a client.
STRIPPED_PREFIXES = ("x-valv-", "x-envoy-")
STRIPPED = (
    "x-request-id",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "traceparent",
    "tracestate",
    "baggage",
)


@dataclass(frozen=True)
class Front:
    """Where and how the edge listens.

    ``trusted_hops`` proxies in front add X-Forwarded-For that may be believed.
    """

    listen: str
    access_log: Path
    trusted_hops: int = 0


def public_listener(front: Front, filters: list[Table]) -> Table:
    """Return the listener with a filter chain for HTTPS."""
    address, _, port = front.listen.rpartition(":")
    manager = extension("http", _HCM, _manager(front, filters))
    return {
        "name": PUBLIC,
        "address": {"socket_address": {"address": address.strip("[]"), "port_value": int(port)}},
        "per_connection_buffer_limit_bytes": MIB,
        "listener_filters_timeout": "5s",
        "filter_chains": [
            {
                "filters": [manager],
                "transport_socket": extension("tls", _TLS, _tls()),
                "transport_socket_connect_timeout": "10s",
            }
        ],
    }


def _tls() -> Table:
    parameters = {
        "tls_minimum_protocol_version": "TLSv1_2",
        "tls_maximum_protocol_version": "TLSv1_3",
        "compliance_policies": [CNSA1_202603],
    }
    common = {
        "tls_params": parameters,
        "alpn_protocols": ["h2", "http/1.1"],
        "tls_certificate_sds_secret_configs": [{"name": PUBLIC, "sds_config": ADS}],
    }
    return {"common_tls_context": common, "disable_stateless_session_resumption": True}


def _manager(front: Front, filters: list[Table]) -> Table:
    return {
        "stat_prefix": PUBLIC,
        "codec_type": "AUTO",
        "rds": {"route_config_name": PUBLIC, "config_source": ADS},
        "http_filters": filters,
        "early_header_mutation_extensions": [extension("strip", _EARLY, {"mutations": _stripped(front)})],
        "local_reply_config": local_reply_config(),
        "access_log": [_access_log(front.access_log)],
        "tracing": _tracing(),
        **_limits(),
        **_identity(front),
    }


def _limits() -> Table:
    return {
        "max_request_headers_kb": 16,
        "request_headers_timeout": "5s",
        "stream_idle_timeout": "60s",
        "delayed_close_timeout": "1s",
        "drain_timeout": "5s",
        "common_http_protocol_options": {
            "idle_timeout": "300s",
            "max_headers_count": 64,
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
        "http2_protocol_options": {
            "max_concurrent_streams": 100,
            "initial_stream_window_size": MIB,
            "initial_connection_window_size": 16 * MIB,
        },
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
    }


def _identity(front: Front) -> Table:
    return {
        "use_remote_address": True,
        "xff_num_trusted_hops": front.trusted_hops,
        "skip_xff_append": True,
        "generate_request_id": True,
        "always_set_request_id_in_response": True,
        "server_name": "valv",
        "server_header_transformation": "OVERWRITE",
    }


def _stripped(front: Front) -> list[Table]:
    kept = {"x-forwarded-for"} if front.trusted_hops else set()
    prefixes = [
        {"remove_on_match": {"key_matcher": {"prefix": prefix, "ignore_case": True}}} for prefix in STRIPPED_PREFIXES
    ]
    return [*prefixes, *({"remove": name} for name in STRIPPED if name not in kept)]


def _access_log(path: Path) -> Table:
    """Telemetry, not audit. The route's name is its template: paths and queries are never written."""
    line = {
        "time": "%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%",
        "request_id": "%REQ(X-REQUEST-ID)%",
        "trace_id": "%TRACE_ID%",
        "method": "%REQ(X-ENVOY-ORIGINAL-METHOD?:METHOD)%",
        "route": "%ROUTE_NAME%",
        "status": "%RESPONSE_CODE%",
        "details": "%RESPONSE_CODE_DETAILS%",
        "flags": "%RESPONSE_FLAGS%",
        "protocol": "%PROTOCOL%",
        "cluster": "%UPSTREAM_CLUSTER%",
        "address": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        "received": "%BYTES_RECEIVED%",
        "sent": "%BYTES_SENT%",
        "milliseconds": "%DURATION%",
    }
    return extension("file", _FILE_LOG, {"path": str(path), "log_format": {"json_format": line}})


def _tracing() -> Table:
    """One trace from here on. Envoy's own spans go by way of the gateway, which strips them."""
    service = {"envoy_grpc": {"cluster_name": CONTROL_PLANE}, "timeout": "1s"}
    tracer = typed(_TRACER, {"service_name": "envoy", "grpc_service": service})
    return {
        "provider": {"name": "opentelemetry", "typed_config": tracer},
        "random_sampling": {"value": 100},
        "max_path_tag_length": 1,
    }
