"""Owns what a test server is: the ways to get PostgreSQL, Valkey and S3, whatever runs them. Starts none."""

from __future__ import annotations

import socket
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class S3Endpoint:
    """An S3 server and a bucket in it that belongs to one test."""

    url: str
    access_key: str
    secret_key: str
    bucket: str = ""
    region: str = "us-east-1"


class Servers(Protocol):
    """Starts the real servers that contract and integration tests talk to; each stops when its context ends."""

    def postgres(self) -> AbstractContextManager[str]:
        """Serves PostgreSQL 17; gives a SQLAlchemy URL whose user may create databases."""
        ...

    def valkey(self) -> AbstractContextManager[str]:
        """Serves Valkey; gives a redis:// URL."""
        ...

    def s3(self) -> AbstractContextManager[S3Endpoint]:
        """Serves S3 (SeaweedFS); gives the endpoint, without a bucket."""
        ...


def free_ports(count: int) -> list[int]:
    """Returns loopback TCP ports nobody listens on now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
