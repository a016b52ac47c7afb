"""Owns `valv audit remains`: what stays of the records about a customer who was erased, one JSON object a line."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator

from google.protobuf.json_format import MessageToDict

from deploy.cli import operator_channel
from valv.audit.v1 import retention_pb2, retention_pb2_grpc

_PAGE = 200


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit code."""
    flags = _parser().parse_args(arguments)
    return operator_channel.run(
        flags, "audit", lambda channel: _lines(retention_pb2_grpc.RetentionServiceStub(channel), flags.account)
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="valv audit remains",
        description="What stays of the records about a customer who was erased, newest first. Every use is recorded.",
    )
    parser.add_argument("account", help="account id")
    operator_channel.add_flags(parser, "audit")
    return parser


def _lines(stub: retention_pb2_grpc.RetentionServiceStub, account: str) -> Iterator[str]:
    request = retention_pb2.ListRemainsRequest(account_id=account, page_size=_PAGE)
    while True:
        page = stub.ListRemains(request, timeout=operator_channel.SECONDS)
        for remain in page.remains:
            yield json.dumps(MessageToDict(remain, preserving_proto_field_name=True)) + "\n"
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token
