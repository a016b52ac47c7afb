"""Owns `valv audit retention`: what the next sweep would do, for an operator. It must never sweep: the service does."""

from __future__ import annotations

import argparse
from datetime import UTC

import grpc

from deploy.cli import operator_channel
from valv.audit.v1 import retention_pb2, retention_pb2_grpc


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit code."""
    flags = _parser().parse_args(arguments)
    return operator_channel.run(flags, "audit", lambda channel: [_shown(_preview(channel))])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="valv audit retention", description="How long the log's records stay.")
    parser.add_argument("--dry-run", action="store_true", required=True, help="tell, change nothing: all there is")
    operator_channel.add_flags(parser, "audit")
    return parser


def _preview(channel: grpc.Channel) -> retention_pb2.PreviewSweepResponse:
    stub = retention_pb2_grpc.RetentionServiceStub(channel)
    return stub.PreviewSweep(retention_pb2.PreviewSweepRequest(), timeout=operator_channel.LONG_SECONDS)


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
