"""Owns an operator's way to a service: a channel with their personal certificate, and what is said when it refuses.

Must never ask as anybody else: without a certificate of one's own there is no way in.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import grpc

from deploy.cli.certs import DOMAIN
from deploy.cli.layout import REPOSITORY, Ports
from services.kit.clients import reason_of

SECONDS = 15.0
LONG_SECONDS = 600.0
"""For what reads the whole log: as much as its policy allows."""


class RefusedError(Exception):
    """A service refused, or could not be asked. The text is for the operator."""


def add_flags(parser: argparse.ArgumentParser, service: str) -> None:
    """Add the flags that say who asks, where the service is and which authority both sides trust."""
    parser.add_argument("--certificate", type=Path, required=True, help="your own, with its key beside it (.key)")
    add_place(parser, service)


def add_place(parser: argparse.ArgumentParser, service: str) -> None:
    """Add the flags that say where the service is and which authority both sides trust."""
    usual = REPOSITORY / "var" / "certs" / "workload" / "ca.pem"
    port = getattr(Ports(), service)
    parser.add_argument(f"--{service}", default=f"127.0.0.1:{port}", help=f"where {service} is, host:port")
    parser.add_argument("--bundle", type=Path, default=usual, help="the authority that signs workloads")
    parser.add_argument("--domain", default=DOMAIN, help="the trust domain")


def run(flags: argparse.Namespace, service: str, command: Callable[[grpc.Channel], Iterable[str]]) -> int:
    """Print what a command tells over a channel as `flags` say, or why it was refused; return the exit code."""
    try:
        with channel(getattr(flags, service), flags.domain, flags.bundle, flags.certificate, service) as made:
            for text in command(made):
                sys.stdout.write(text)
    except RefusedError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


@contextmanager
def channel(address: str, domain: str, bundle: Path, certificate: Path, service: str) -> Iterator[grpc.Channel]:
    """Open a channel with a certificate; its key is beside it, ``.key``.

    Raises:
        RefusedError: A file is missing; or a call failed, with the service's reason and its constant text, or that
            it could not be reached.
    """
    try:
        read = [path.read_bytes() for path in (bundle, certificate.with_suffix(".key"), certificate)]
    except OSError as error:
        raise RefusedError(f"cannot read {error.filename}") from None
    options = (("grpc.ssl_target_name_override", f"{service}.{domain}"), ("grpc.enable_http_proxy", 0))
    with grpc.secure_channel(address, grpc.ssl_channel_credentials(*read), options) as made:
        try:
            yield made
        except grpc.RpcError as error:
            failed = cast("grpc.Call", error)  # what every call of a blocking stub raises
            reason = reason_of(failed)
            text = f"{reason}: {failed.details()}" if reason else f"{service} does not answer: {failed.code().name}"
            raise RefusedError(text) from None
