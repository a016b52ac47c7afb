"""Owns `valv audit receipt`: the receipt of any event, for an operator, under their own name and for a reason."""

from __future__ import annotations

import argparse

import grpc

from deploy.cli import audit_search, operator_channel
from valv.audit.v1 import search_pb2, search_pb2_grpc


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="valv audit receipt", description="A receipt for `valv verify`. Recorded, and told to its customer."
    )
    parser.add_argument("event", help="the event's id")
    audit_search.add_flags(parser)
    flags = parser.parse_args(arguments)
    request = search_pb2.GetEventReceiptRequest(event=flags.event, reason=audit_search.REASONS[flags.reason])
    return operator_channel.run(flags, "audit", lambda channel: [_receipt(channel, request)])


def _receipt(channel: grpc.Channel, request: search_pb2.GetEventReceiptRequest) -> str:
    stub = search_pb2_grpc.SearchServiceStub(channel)
    return stub.GetEventReceipt(request, timeout=operator_channel.SECONDS).data.decode()
