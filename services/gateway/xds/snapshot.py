"""Owns the immutable snapshot: every resource Envoy is given, by type and name, with versions and one digest.

Built apart from how it travels. A snapshot that holds anything off the list cannot be made.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from envoy.extensions.transport_sockets.tls.v3 import secret_pb2

from services.gateway.xds.allowed import require_allowed
from services.gateway.xds.protos import PREFIX, Table, message, pack

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from google.protobuf.any_pb2 import Any
    from google.protobuf.message import Message

SECRET = "envoy.extensions.transport_sockets.tls.v3.Secret"  # noqa: S105 - the name of a type
CLUSTER = "envoy.config.cluster.v3.Cluster"
ENDPOINTS = "envoy.config.endpoint.v3.ClusterLoadAssignment"
EXTENSION = "envoy.config.core.v3.TypedExtensionConfig"
LISTENER = "envoy.config.listener.v3.Listener"
ROUTES = "envoy.config.route.v3.RouteConfiguration"

# The order of pushes: what is named comes before what names it.
ORDER = (SECRET, CLUSTER, ENDPOINTS, EXTENSION, LISTENER, ROUTES)
_NAME_FIELDS = {ENDPOINTS: "cluster_name"}


@dataclass(frozen=True)
class Snapshot:
    """Resources by type URL and name, versions by type URL, and the SHA-256 (hex) of it all but private keys."""

    resources: Mapping[str, Mapping[str, Any]]
    versions: Mapping[str, str]
    digest: str


def type_url(name: str) -> str:
    """Return the type URL of a message type."""
    return PREFIX + name


def build(tables: Mapping[str, Iterable[Table]]) -> Snapshot:
    """Build a snapshot from tables by type name.

    Raises:
        google.protobuf.json_format.ParseError: A table does not fit its type.
        NotAllowedError: A resource holds an extension that is not on the list.
    """
    resources: dict[str, Mapping[str, Any]] = {}
    versions: dict[str, str] = {}
    for name in ORDER:
        made = [message(name, table) for table in tables.get(name, ())]
        for one in made:
            require_allowed(one)
        resources[type_url(name)] = MappingProxyType(
            {getattr(one, _NAME_FIELDS.get(name, "name")): pack(one) for one in made}
        )
        versions[type_url(name)] = _digest(made)
    whole = hashlib.sha256("".join(versions[type_url(name)] for name in ORDER).encode()).hexdigest()
    return Snapshot(MappingProxyType(resources), MappingProxyType(versions), whole)


def _digest(messages: Iterable[Message]) -> str:
    digest = hashlib.sha256()
    for one in messages:
        public = one
        if isinstance(one, secret_pb2.Secret):
            public = secret_pb2.Secret()
            public.CopyFrom(one)
            public.tls_certificate.ClearField("private_key")
        data = public.SerializeToString(deterministic=True)
        digest.update(len(data).to_bytes(8) + data)
    return digest.hexdigest()
