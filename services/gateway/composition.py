"""Owns the making of a snapshot from the configuration, the contracts and what changes while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf import descriptor_pb2
from google.rpc import error_details_pb2, status_pb2

from services.gateway.xds import clusters, filters, keys, listeners, routes, secrets, snapshot
from services.gateway.xds.clusters import Upstream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from services.gateway.assets import Page
    from services.gateway.config import Config
    from services.gateway.contracts import Exposed
    from services.gateway.xds.protos import Table
    from services.gateway.xds.snapshot import Snapshot
    from services.kit.secret import Secret

Addresses = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Inputs:
    """What changes while it runs: public keys (JWKS), endpoints by cluster, and the public certificate with its key."""

    jwks: str
    endpoints: Mapping[str, Addresses]
    chain: bytes
    key: Secret


class Composer:
    """Makes snapshots; everything but the inputs is fixed."""

    def __init__(self, config: Config, exposed: Sequence[Exposed], pages: Sequence[Page]) -> None:
        """Take what is fixed and build the parts that follow from it alone."""
        self._config = config
        self._pages = tuple(pages)
        self._exposed = tuple(exposed)
        self._upstreams = upstreams(exposed)

    @property
    def upstreams(self) -> tuple[Upstream, ...]:
        """The clusters, whose endpoints must be among the inputs."""
        return self._upstreams

    def compose(self, inputs: Inputs) -> Snapshot:
        """Return the snapshot of these inputs.

        Raises:
            NotAllowedError: A part holds an extension that is not on the list.
        """
        envoy, public = self._config.envoy, self._config.public
        names = [one.name for one in self._upstreams]
        return snapshot.build(
            {
                snapshot.SECRET: [secrets.certificate(listeners.PUBLIC, inputs.chain, inputs.key)],
                snapshot.CLUSTER: [clusters.cluster(one, envoy) for one in self._upstreams],
                snapshot.ENDPOINTS: [clusters.endpoints(name, inputs.endpoints[name]) for name in names],
                snapshot.EXTENSION: [keys.keys_filter(inputs.jwks, public.issuer)],
                snapshot.LISTENER: [self._listener()],
                snapshot.ROUTES: [routes.route_configuration(self._exposed, self._pages, public.names)],
            }
        )

    def _listener(self) -> Table:
        config, public = self._config, self._config.public
        front = listeners.Front(
            listen=public.listen,
            access_log=config.envoy.access_log,
            trusted_hops=config.envoy.trusted_hops,
        )
        services = sorted({one.method.service for one in self._exposed})
        transcoder = filters.transcode(descriptor_set(self._exposed), services)
        limits = {one.method.policy.max_request_bytes for one in self._exposed}
        chain = filters.chain(config.rates, public.origins, limits, transcoder, hsts=not public.local)
        return listeners.public_listener(front, chain)


def upstreams(exposed: Sequence[Exposed]) -> tuple[Upstream, ...]:
    """Return the clusters that the routes need, by name."""
    return tuple(sorted({routes.upstream_of(one) for one in exposed}, key=lambda one: one.name))


def descriptor_set(exposed: Sequence[Exposed]) -> bytes:
    """Return what the transcoder needs to know: the contracts' files, and those of the error details it prints."""
    files: dict[str, Any] = {}

    def visit(file: Any) -> None:
        if file.name not in files:
            for dependency in file.dependencies:
                visit(dependency)
            files[file.name] = file

    for one in (error_details_pb2.DESCRIPTOR, status_pb2.DESCRIPTOR):
        visit(one)
    for binding in exposed:
        visit(binding.method.input.DESCRIPTOR.file)
    whole = descriptor_pb2.FileDescriptorSet()
    for file in files.values():
        file.CopyToProto(whole.file.add())
    return whole.SerializeToString(deterministic=True)
