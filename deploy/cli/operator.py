"""Owns `valv operator`: a personal certificate for an operator, recorded in the log or not issued at all."""

from __future__ import annotations

import argparse
import sys
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from google.protobuf.timestamp_pb2 import Timestamp

from deploy.cli import certs, operator_channel
from deploy.cli.layout import REPOSITORY
from services.kit.clock import SystemClock
from valv.auth.v1 import operator_pb2, operator_pb2_grpc

MOST_HOURS = 24


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="valv operator", description="Personal certificates for operators.")
    issue_parser = parser.add_subparsers(dest="command", required=True).add_parser(
        "issue", help="issue a certificate that lives at most 24 hours"
    )
    issue_parser.add_argument("name", help="the operator's name: a lower-case DNS label, shown to customers")
    issue_parser.add_argument("--hours", type=float, default=8.0, help="how long it lives, at most 24")
    issue_parser.add_argument(
        "--certs", type=Path, default=REPOSITORY / "var" / "certs", help="folder that holds workload/ca.pem and ca.key"
    )
    operator_channel.add_place(issue_parser, "auth")
    issue_parser.set_defaults(bundle=None)
    flags = parser.parse_args(arguments)
    if not 0 < flags.hours <= MOST_HOURS:
        sys.stderr.write("a certificate lives more than 0 and at most 24 hours\n")
        return 2
    try:
        made = issue(flags)
    except (operator_channel.RefusedError, ValueError) as error:
        sys.stderr.write(f"no certificate was issued: {error}\n")
        return 1
    sys.stdout.write(f"{made}\n")
    return 0


def issue(flags: argparse.Namespace) -> Path:
    """Issue a certificate and have auth record it; returns where it is.

    Raises:
        operator_channel.RefusedError: There is no authority here, or auth has not recorded it; nothing is left.
        ValueError: The name cannot be an operator's.
    """
    authority = flags.certs / "workload" / "ca.pem"
    if not authority.exists() or not authority.with_suffix(".key").exists():
        raise operator_channel.RefusedError(f"there is no authority in {authority.parent}")
    now = SystemClock().now()
    path = certs.issue_operator(
        flags.certs, flags.name, now, domain=flags.domain, lifetime=timedelta(hours=flags.hours)
    )
    recorded = False
    try:
        _announce(flags, flags.bundle or authority, path)
        recorded = True
    finally:
        if not recorded:
            path.unlink()
            path.with_suffix(".key").unlink()
    return path


def _announce(flags: argparse.Namespace, bundle: Path, path: Path) -> None:
    """Tell auth, with the certificate itself: only who holds its key can."""
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    serial = certificate.serial_number
    not_after = Timestamp()
    not_after.FromDatetime(certificate.not_valid_after_utc)
    request = operator_pb2.AnnounceCertificateRequest(
        serial=serial.to_bytes((serial.bit_length() + 7) // 8), not_after=not_after
    )
    with operator_channel.channel(flags.auth, flags.domain, bundle, path, "auth") as channel:
        stub = operator_pb2_grpc.OperatorServiceStub(channel)
        stub.AnnounceCertificate(request, timeout=operator_channel.SECONDS)
