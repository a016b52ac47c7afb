"""Owns the list of what a configuration may contain. Envoy carries passwords, so nothing else ever reaches it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf import any_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message
from xds.type.v3 import typed_struct_pb2

from services.gateway.xds.protos import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

_HTTP = "envoy.extensions.filters.http"
ALLOWED = frozenset(
    {
        # HTTP filters
        f"{_HTTP}.header_mutation.v3.HeaderMutation",
        f"{_HTTP}.compressor.v3.Compressor",
        f"{_HTTP}.local_ratelimit.v3.LocalRateLimit",
        f"{_HTTP}.rbac.v3.RBAC",
        f"{_HTTP}.body_size_limit.v3.BodySizeLimit",
        f"{_HTTP}.jwt_authn.v3.JwtAuthentication",
        f"{_HTTP}.header_to_metadata.v3.Config",
        f"{_HTTP}.ext_authz.v3.ExtAuthz",
        f"{_HTTP}.ext_authz.v3.ExtAuthzPerRoute",
        f"{_HTTP}.grpc_json_transcoder.v3.GrpcJsonTranscoder",
        f"{_HTTP}.router.v3.Router",
        # the connection manager and its parts
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
        "envoy.extensions.compression.gzip.compressor.v3.Gzip",
        "envoy.config.route.v3.FilterConfig",
        # TLS and upstream protocols
        "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        # telemetry
        "envoy.extensions.access_loggers.file.v3.FileAccessLog",
        "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
        "envoy.config.trace.v3.OpenTelemetryConfig",
    }
)


class NotAllowedError(Exception):
    """A configuration contains something that is not on the list."""


def require_allowed(message: Message) -> None:
    """Admit a message whose every extension, at any depth, is on the list.

    Raises:
        NotAllowedError: One is not; the error names its type.
    """
    for name in _extensions(message):
        if name not in ALLOWED:
            text = f"not on the list of what Envoy may run: {name}"
            raise NotAllowedError(text)


def _extensions(message: Message) -> Iterator[str]:
    if isinstance(message, any_pb2.Any):
        yield from _packed(message)
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            values = value.values() if field.message_type.fields_by_name["value"].message_type else ()
        else:
            values = value if field.is_repeated else (value,)
        for inner in values:
            yield from _extensions(inner)


def _packed(packed: any_pb2.Any) -> Iterator[str]:
    if not packed.type_url:  # FilterConfig: "on, with the listener's configuration"
        return
    struct = typed_struct_pb2.TypedStruct()
    if packed.Unpack(struct):
        yield struct.type_url.removeprefix(PREFIX)
        return
    yield packed.TypeName()
    yield from _extensions(_unpack(packed))


def _unpack(packed: any_pb2.Any) -> Message:
    kind = descriptor_pool.Default().FindMessageTypeByName(packed.TypeName())
    inner: Message = message_factory.GetMessageClass(kind)()
    inner.ParseFromString(packed.value)
    return inner
