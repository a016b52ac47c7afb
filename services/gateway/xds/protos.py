"""Owns the making of Envoy's messages from plain tables. Importing it puts the types used into the descriptor pool.

Types newer than the xds-protos package travel as ``xds.type.v3.TypedStruct``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envoy.config.bootstrap.v3 import bootstrap_pb2
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import extension_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_components_pb2, route_pb2
from envoy.config.trace.v3 import opentelemetry_pb2
from envoy.extensions.access_loggers.file.v3 import file_pb2
from envoy.extensions.access_loggers.filters.cel.v3 import cel_pb2
from envoy.extensions.compression.gzip.compressor.v3 import gzip_pb2
from envoy.extensions.filters.http.compressor.v3 import compressor_pb2
from envoy.extensions.filters.http.ext_authz.v3 import ext_authz_pb2
from envoy.extensions.filters.http.grpc_json_transcoder.v3 import transcoder_pb2
from envoy.extensions.filters.http.header_mutation.v3 import header_mutation_pb2
from envoy.extensions.filters.http.header_to_metadata.v3 import header_to_metadata_pb2
from envoy.extensions.filters.http.jwt_authn.v3 import config_pb2
from envoy.extensions.filters.http.local_ratelimit.v3 import local_rate_limit_pb2
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from envoy.extensions.http.early_header_mutation.header_mutation.v3 import header_mutation_pb2 as early_pb2
from envoy.extensions.resource_monitors.downstream_connections.v3 import downstream_connections_pb2
from envoy.extensions.resource_monitors.fixed_heap.v3 import fixed_heap_pb2
from envoy.extensions.transport_sockets.tls.v3 import tls_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2
from google.protobuf import any_pb2, descriptor_pool, json_format, message_factory
from xds.type.v3 import typed_struct_pb2

if TYPE_CHECKING:
    from google.protobuf.message import Message

PREFIX = "type.googleapis.com/"
TYPED_STRUCT = "xds.type.v3.TypedStruct"

# Every module named here is needed in the pool, so that a table's "@type" can be resolved.
LOADED = (
    bootstrap_pb2,
    cel_pb2,
    cluster_pb2,
    compressor_pb2,
    config_pb2,
    downstream_connections_pb2,
    early_pb2,
    endpoint_pb2,
    ext_authz_pb2,
    extension_pb2,
    file_pb2,
    fixed_heap_pb2,
    gzip_pb2,
    header_mutation_pb2,
    header_to_metadata_pb2,
    http_connection_manager_pb2,
    http_protocol_options_pb2,
    listener_pb2,
    local_rate_limit_pb2,
    opentelemetry_pb2,
    rbac_pb2,
    route_components_pb2,
    route_pb2,
    router_pb2,
    tls_pb2,
    transcoder_pb2,
    typed_struct_pb2,
)

Table = dict[str, Any]


def message(name: str, table: Table) -> Message:
    """Make a message of a fully qualified type.

    Raises:
        google.protobuf.json_format.ParseError: The table does not fit the type.
    """
    kind = descriptor_pool.Default().FindMessageTypeByName(name)
    return json_format.ParseDict(table, message_factory.GetMessageClass(kind)())


def typed(name: str, table: Table | None = None) -> Table:
    """Return the table of a ``google.protobuf.Any`` of a type."""
    return {"@type": PREFIX + name, **(table or {})}


def typed_struct(name: str, table: Table) -> Table:
    """Return the table of an Any whose type this process does not know but Envoy does."""
    return {"@type": PREFIX + TYPED_STRUCT, "typeUrl": PREFIX + name, "value": table}


def extension(name: str, type_name: str, table: Table | None = None) -> Table:
    """Return the table of a named extension (filter, socket, logger)."""
    return {"name": name, "typed_config": typed(type_name, table)}


def pack(content: Message) -> any_pb2.Any:
    """Pack a message, byte for byte the same each time."""
    packed = any_pb2.Any()
    packed.Pack(content, deterministic=True)
    return packed
