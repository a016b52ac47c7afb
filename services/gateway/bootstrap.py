"""Owns Envoy's bootstrap: who it is, whom it asks, its admin socket, its overload limits. All else comes by ADS.

``python -m services.gateway.bootstrap --config gateway.toml > envoy.json``
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from google.protobuf import json_format

from services.gateway.config import Config
from services.gateway.contracts import EDGE_ROLE
from services.gateway.xds.clusters import BUNDLE, IDENTITY, Upstream, connection
from services.gateway.xds.names import CONTROL_PLANE
from services.gateway.xds.protos import Table, extension, message
from services.kit.config import ConfigError, load

if TYPE_CHECKING:
    from services.gateway.config import EnvoyConfig

BOOTSTRAP = "envoy.config.bootstrap.v3.Bootstrap"
SOCKET_MODE = 0o600
AGAIN = {"base_interval": "0.25s", "max_interval": "2s"}  # else a gateway that was away is asked after 30 s
SHRINK_AT, REFUSE_AT = 0.9, 0.95
_FIXED_HEAP = "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig"
_CONNECTIONS = "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"


def bootstrap(config: EnvoyConfig) -> Table:
    """Return the bootstrap, checked against Envoy's own types.

    Raises:
        google.protobuf.json_format.ParseError: A part does not fit.
    """
    table = {
        "node": {"id": EDGE_ROLE, "cluster": EDGE_ROLE},
        "admin": {"address": {"pipe": {"path": str(config.admin), "mode": SOCKET_MODE}}},
        "dynamic_resources": _dynamic(),
        "static_resources": {"clusters": [_control_plane(config)], "secrets": _secrets(config)},
        "overload_manager": _overload(config),
    }
    message(BOOTSTRAP, table)
    return table


def _dynamic() -> Table:
    ads = {"ads": {}, "resource_api_version": "V3"}
    return {
        "ads_config": {
            "api_type": "GRPC",
            "transport_api_version": "V3",
            "set_node_on_first_message_only": True,
            "grpc_services": [
                {"envoy_grpc": {"cluster_name": CONTROL_PLANE, "retry_policy": {"retry_back_off": AGAIN}}}
            ],
        },
        "lds_config": ads,
        "cds_config": ads,
    }


def _control_plane(config: EnvoyConfig) -> Table:
    host, _, port = config.control_plane.rpartition(":")
    address = {"socket_address": {"address": host.strip("[]"), "port_value": int(port)}}
    return {
        **connection(Upstream(CONTROL_PLANE, "gateway"), config.trust_domain),
        "type": "STRICT_DNS",
        "load_assignment": {
            "cluster_name": CONTROL_PLANE,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }


def _secrets(config: EnvoyConfig) -> list[Table]:
    """Envoy's own identity stays in its own files; the control plane never holds its key."""
    pair = {"certificate_chain": {"filename": str(config.certificate)}, "private_key": {"filename": str(config.key)}}
    return [
        {"name": IDENTITY, "tls_certificate": pair},
        {"name": BUNDLE, "validation_context": {"trusted_ca": {"filename": str(config.bundle)}}},
    ]


def _overload(config: EnvoyConfig) -> Table:
    heap, connections = (
        "envoy.resource_monitors.fixed_heap",
        "envoy.resource_monitors.global_downstream_max_connections",
    )

    def above(value: float) -> list[Table]:
        return [{"name": heap, "threshold": {"value": value}}]

    return {
        "refresh_interval": "0.25s",
        "resource_monitors": [
            extension(heap, _FIXED_HEAP, {"max_heap_size_bytes": config.max_heap_bytes}),
            extension(connections, _CONNECTIONS, {"max_active_downstream_connections": config.max_connections}),
        ],
        "actions": [
            {"name": "envoy.overload_actions.shrink_heap", "triggers": above(SHRINK_AT)},
            {"name": "envoy.overload_actions.stop_accepting_requests", "triggers": above(REFUSE_AT)},
        ],
        "loadshed_points": [{"name": "envoy.load_shed_points.tcp_listener_accept", "triggers": above(REFUSE_AT)}],
    }


def main() -> int:
    """Print the bootstrap of a gateway configuration."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--config", type=Path, required=True)
    flags = parser.parse_args()
    try:
        table = bootstrap(load(Config, flags.config).envoy)
    except (ConfigError, json_format.ParseError) as error:
        sys.stderr.write(f"{flags.config}: {error}\n")
        return 2
    sys.stdout.write(json.dumps(table, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
