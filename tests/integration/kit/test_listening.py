"""A port that a process opens and nobody declared is found; one that is declared is not."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from services.kit.checks import ChecksConfig, UnknownError
from services.kit.clock import SystemClock
from services.kit.listening import listening, strays
from services.kit.logline import RecentLines
from services.kit.own_checks import Process, of_process
from services.kit.tls import TLSMaterial
from tests.support.pki import Pki


@pytest.fixture
def process(tmp_path: Path) -> Process:
    clock, tls = SystemClock(), Pki(tmp_path).config("files")
    nothing: frozenset[str] = frozenset()
    return Process(
        "files", clock, TLSMaterial(tls, clock), ChecksConfig(), RecentLines(), ("127.0.0.1:1",), lambda: nothing,
        nothing,
    )  # fmt: skip


async def found(process: Process) -> int:
    return await next(check for check in of_process(process) if check.name == "files.listeners").measure()


@contextmanager
def opened(host: str = "127.0.0.1", family: int = socket.AF_INET) -> Iterator[int]:
    with socket.socket(family) as made:
        made.bind((host, 0))
        made.listen()
        yield made.getsockname()[1]


@pytest.mark.clause("P3")
async def test_a_port_that_nobody_declared_is_found(process: Process) -> None:
    before = await found(process)
    with opened() as port, opened("::1", socket.AF_INET6) as other:
        assert await found(process) == before + 2
        declared = replace(process, declared=(f"127.0.0.1:{port}", f"[::1]:{other}"))
        assert await found(declared) == before
    assert await found(process) == before


@pytest.mark.clause("P3")
@pytest.mark.parametrize(
    "host, declared, found",
    [
        ("127.0.0.1", "127.0.0.1", 0),
        ("127.0.0.1", "0.0.0.0", 0),  # noqa: S104 - nothing listens there; it is what is declared
        ("127.0.0.1", "[::]", 0),
        ("127.0.0.1", "vault.internal", 0),
        ("0.0.0.0", "127.0.0.1", 1),  # noqa: S104 - what must be found: more than was declared
    ],
)
def test_a_socket_may_be_open_to_no_more_than_was_declared(host: str, declared: str, found: int) -> None:
    with opened(host) as port:
        mine = [one for one in listening() if one[1] == port]
        assert len(mine) == 1
        assert strays(mine, [f"{declared}:{port}"]) == found


def test_a_system_that_does_not_tell_is_unknown(tmp_path: Path) -> None:
    with pytest.raises(UnknownError):
        listening(tmp_path)
