"""The checks that every service runs on itself: sockets, methods, certificate and log.

Owns what each of them measures. Looks at nothing but this process.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import valv
from services.kit.checks import Check
from services.kit.leaks import LogSearch
from services.kit.listening import listening, strays
from services.kit.policy import methods_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from services.kit.checks import ChecksConfig
    from services.kit.clock import Clock
    from services.kit.logline import RecentLines
    from services.kit.tls import TLSMaterial


@dataclass(frozen=True)
class Process:
    """What the checks look at: the process as its composition knows it."""

    role: str
    clock: Clock
    tls: TLSMaterial
    config: ChecksConfig
    recent: RecentLines
    declared: tuple[str, ...]
    """Every ``host:port`` at which it means to listen."""
    served: Callable[[], frozenset[str]]
    """Full names of the methods that are served."""
    foreign: frozenset[str]
    """Those among them whose contracts are not ours."""


def of_process(process: Process) -> Iterator[Check]:
    """Yield the checks of any process."""
    role, config = process.role, process.config

    async def listeners() -> int:
        return strays(await asyncio.to_thread(listening), process.declared)

    async def policies() -> int:
        declared = await asyncio.to_thread(policed, role)
        return len((declared | process.foreign) ^ process.served())

    async def certificate() -> int:
        return (process.tls.expires - process.clock.now()).days

    search = LogSearch(process.recent, config.log_file)
    yield Check(f"{role}.listeners", listeners)
    yield Check(f"{role}.policies", policies)
    yield Check(f"{role}.certificate_days", certificate, config.certificate_days)
    yield Check(f"{role}.card_numbers_in_log", search.cards)
    yield Check(f"{role}.secrets_in_log", search.secrets)


def policed(role: str) -> frozenset[str]:
    """Return the full names of the methods that the contracts of a service declare, each with its policy.

    Raises:
        PolicyError: A method has none, or one that is not whole.
    """
    return frozenset(
        method.full_name
        for module in _contracts(role)
        for service in import_module(module).DESCRIPTOR.services_by_name.values()
        for method in methods_of(service)
    )


def _contracts(role: str) -> Iterable[str]:
    """Return the names of the contracts' modules; their packages are namespaces, which hold no list of their own."""
    return [
        ".".join(path.relative_to(root).with_suffix("").parts)
        for root in (Path(entry).parent for entry in valv.__path__)
        for path in (root / "valv" / role).rglob("*_pb2.py")
    ]
