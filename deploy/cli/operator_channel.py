"""Owns an operator's way to a service: a channel with their personal certificate, and what is said when it refuses.

Must never ask as anybody else: without a certificate of one's own there is no way in.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar, cast

import grpc

from deploy.cli.certs import DOMAIN
from deploy.cli.layout import REPOSITORY, Ports
from services.kit.clients import reason_of

SECONDS = 15.0
T = TypeVar("T")


class RefusedError(Exception):
    """A service refused, or could not be asked. The text is for the operator."""


def add_flags(parser: argparse.ArgumentParser, service: str = "auth") -> None:
    """Add the flags that say where the service is and which authority both sides trust."""
    usual = REPOSITORY / "var" / "certs" / "workload" / "ca.pem"
    port = getattr(Ports(), service)
    parser.add_argument(f"--{service}", default=f"127.0.0.1:{port}", help=f"where {service} is, host:port")
    parser.add_argument("--bundle", type=Path, default=usual, help="the authority that signs workloads")
    parser.add_argument("--domain", default=DOMAIN, help="the trust domain")


@contextmanager
def channel(
    address: str, domain: str, bundle: Path, certificate: Path, service: str = "auth"
) -> Iterator[grpc.Channel]:
    """Open a channel with a certificate; its key is beside it, ``.key``.

    Raises:
        RefusedError: A file is missing.
    """
    try:
        read = [path.read_bytes() for path in (bundle, certificate.with_suffix(".key"), certificate)]
    except OSError as error:
        raise RefusedError(f"cannot read {error.filename}") from None
    options = (("grpc.ssl_target_name_override", f"{service}.{domain}"), ("grpc.enable_http_proxy", 0))
    with grpc.secure_channel(address, grpc.ssl_channel_credentials(*read), options) as made:
        yield made


def ask(call: Callable[[], T], service: str = "auth") -> T:
    """Make a call.

    Raises:
        RefusedError: With the service's reason and its constant text, or that it could not be reached.
    """
    try:
        return call()
    except grpc.RpcError as error:
        failed = cast("grpc.Call", error)  # what every call of a blocking stub raises
        reason = reason_of(failed)
        raise RefusedError(
            f"{reason}: {failed.details()}" if reason else f"{service} does not answer: {failed.code().name}"
        ) from None
