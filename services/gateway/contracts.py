"""Owns the walk of the contracts: which methods the public edge routes, and where. Must never name a method itself."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import valv
from services.kit.policy import Binding, Method, PolicyError, methods_of

if TYPE_CHECKING:
    from google.protobuf.descriptor import ServiceDescriptor

EDGE_ROLE = "envoy"


@dataclass(frozen=True)
class Exposed:
    """One HTTP binding of one method that the edge may call."""

    method: Method
    binding: Binding

    @property
    def role(self) -> str:
        """The service that serves it: the package's second part."""
        return self.method.service.split(".")[1]


def services() -> tuple[ServiceDescriptor, ...]:
    """Return every gRPC service of the contracts, in the order of their names."""
    modules = sorted(
        ".".join(path.relative_to(root).with_suffix("").parts)
        for root in (Path(entry).parent for entry in valv.__path__)
        for path in (root / "valv").rglob("*_pb2.py")
    )
    found = {
        service.full_name: service
        for module in modules
        for service in importlib.import_module(module).DESCRIPTOR.services_by_name.values()
    }
    return tuple(found[name] for name in sorted(found))


def methods() -> tuple[Method, ...]:
    """Return every method of the contracts.

    Raises:
        PolicyError: A method has no whole policy.
    """
    return tuple(method for service in services() for method in methods_of(service))


def exposed() -> tuple[Exposed, ...]:
    """Return what the public edge routes: each HTTP binding of the methods whose callers include it.

    Raises:
        PolicyError: A method for the edge has no binding, one of an internal method has, or two bindings are the same.
    """
    found: dict[tuple[str, str], Exposed] = {}
    for method in methods():
        if (EDGE_ROLE in method.policy.callers) != bool(method.bindings):
            message = f"{method.full_name}: a method has HTTP bindings if and only if the edge may call it"
            raise PolicyError(message)
        for binding in method.bindings:
            key = (binding.verb, binding.path)
            if key in found:
                message = f"{method.full_name}: {binding.verb} {binding.path} is bound twice"
                raise PolicyError(message)
            found[key] = Exposed(method, binding)
    return tuple(found.values())
