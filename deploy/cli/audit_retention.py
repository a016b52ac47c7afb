"""Owns `valv audit retention`: what the next sweep would do, for an operator. It must never sweep: the service does."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC
from pathlib import Path

from deploy.cli import operator_channel
from valv.audit.v1 import retention_pb2, retention_pb2_grpc


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit code."""
    flags = _parser().parse_args(arguments)
    try:
        with operator_channel.channel(flags.audit, flags.domain, flags.bundle, flags.certificate, "audit") as channel:
            stub, request = retention_pb2_grpc.RetentionServiceStub(channel), retention_pb2.PreviewSweepRequest()
            preview = operator_channel.ask(
                lambda: stub.PreviewSweep(request, timeout=operator_channel.SECONDS), "audit"
            )
    except operator_channel.RefusedError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(_shown(preview))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="valv audit retention", description="How long the log's records stay.")
    parser.add_argument("--dry-run", action="store_true", required=True, help="tell, change nothing: all there is")
    parser.add_argument("--certificate", type=Path, required=True, help="your own, with its key beside it (.key)")
    operator_channel.add_flags(parser, "audit")
    return parser


def _shown(preview: retention_pb2.PreviewSweepResponse) -> str:
    last = "never"
    if preview.HasField("last_sweep_time"):
        last = preview.last_sweep_time.ToDatetime(UTC).isoformat(timespec="seconds")
    lines = [
        ("kept", f"{preview.keep_months} months, {preview.at_hand_months} of them at hand"),
        ("last sweep", last),
        ("minimum", f"index {preview.minimum_index}"),
        ("to the cold", f"{preview.cold_bundles} bundles"),
        ("over", f"{preview.expired_entries} entries, {preview.held_entries} of them held"),
    ]
    return "".join(f"{name:11} {value}\n" for name, value in lines)
