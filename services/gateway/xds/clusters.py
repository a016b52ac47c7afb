"""Owns the clusters and their endpoints: mTLS to one named identity each, TLS 1.3 only, 1 MiB windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.gateway.xds.names import ADS
from services.gateway.xds.protos import Table, extension, typed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.gateway.config import EnvoyConfig

IDENTITY, BUNDLE = "identity", "bundle"  # static secrets of the bootstrap: Envoy's own key never travels
MIB = 1 << 20
_LIMITS: Table = {"max_connections": 1024, "max_pending_requests": 1024, "max_requests": 4096}
_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_TLS = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"


@dataclass(frozen=True)
class Upstream:
    """A cluster: its name, the role whose certificate it must show, and whether it speaks gRPC (HTTP/2) or HTTP/1.1."""

    name: str
    role: str
    grpc: bool = True


def cluster(upstream: Upstream, envoy: EnvoyConfig) -> Table:
    """Return the cluster; its endpoints come by EDS. Routes of the credential class have the default priority."""
    few = {**_LIMITS, "max_requests": envoy.credential_calls}
    return {
        **connection(upstream, envoy.trust_domain),
        "type": "EDS",
        "eds_cluster_config": {"eds_config": ADS},
        "circuit_breakers": {"thresholds": [few, {**_LIMITS, "priority": "HIGH"}]},
    }


def connection(upstream: Upstream, trust_domain: str) -> Table:
    """Return what every cluster has: name, protocol, TLS, limits."""
    return {
        "name": upstream.name,
        "connect_timeout": "1s",
        "per_connection_buffer_limit_bytes": MIB,
        "transport_socket": extension("tls", _TLS, _tls(upstream, trust_domain)),
        "typed_extension_protocol_options": {_OPTIONS: typed(_OPTIONS, _protocol(grpc=upstream.grpc))},
        "circuit_breakers": {"thresholds": [_LIMITS]},
    }


def endpoints(name: str, addresses: Sequence[tuple[str, int]]) -> Table:
    """Return a cluster's endpoints: (IP address, port) each."""
    found = [
        {"endpoint": {"address": {"socket_address": {"address": host, "port_value": port}}}} for host, port in addresses
    ]
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": found}]}


def _protocol(*, grpc: bool) -> Table:
    windows = {
        "initial_stream_window_size": MIB,
        "initial_connection_window_size": 16 * MIB,
        "connection_keepalive": {"interval": "30s", "timeout": "5s"},
    }
    explicit: Table = {"http2_protocol_options": windows} if grpc else {"http_protocol_options": {}}
    return {"explicit_http_config": explicit, "common_http_protocol_options": {"idle_timeout": "300s"}}


def _tls(upstream: Upstream, trust_domain: str) -> Table:
    """Upstream TLS ends at 1.2 unless both ends of the range are said."""
    name = {"exact": f"spiffe://{trust_domain}/{upstream.role}"}
    common = {
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"},
        "tls_certificate_sds_secret_configs": [{"name": IDENTITY}],
        "combined_validation_context": {
            "default_validation_context": {"match_typed_subject_alt_names": [{"san_type": "URI", "matcher": name}]},
            "validation_context_sds_secret_config": {"name": BUNDLE},
        },
        "alpn_protocols": ["h2"] if upstream.grpc else ["http/1.1"],
    }
    return {"common_tls_context": common, "sni": f"{upstream.role}.{trust_domain}"}
