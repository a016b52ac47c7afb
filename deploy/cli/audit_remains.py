"""Owns `valv audit remains`: what stays of the records about a customer who was erased, one JSON object a line."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.json_format import MessageToDict

from deploy.cli import operator_channel
from valv.audit.v1 import retention_pb2, retention_pb2_grpc

_PAGE = 200


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit code."""
    flags = _parser().parse_args(arguments)
    try:
        with operator_channel.channel(flags.audit, flags.domain, flags.bundle, flags.certificate, "audit") as channel:
            for line in _lines(retention_pb2_grpc.RetentionServiceStub(channel), flags.account):
                sys.stdout.write(line)
    except operator_channel.RefusedError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="valv audit remains",
        description="What stays of the records about a customer who was erased, newest first. Every use is recorded.",
    )
    parser.add_argument("account", help="account id")
    parser.add_argument("--certificate", type=Path, required=True, help="your own, with its key beside it (.key)")
    operator_channel.add_flags(parser, "audit")
    return parser


def _lines(stub: retention_pb2_grpc.RetentionServiceStub, account: str) -> Iterator[str]:
    token = ""
    while True:
        page = _page(stub, account, token)
        for remain in page.remains:
            yield json.dumps(MessageToDict(remain, preserving_proto_field_name=True)) + "\n"
        token = page.next_page_token
        if not token:
            return


def _page(stub: retention_pb2_grpc.RetentionServiceStub, account: str, token: str) -> retention_pb2.ListRemainsResponse:
    request = retention_pb2.ListRemainsRequest(account_id=account, page_size=_PAGE, page_token=token)
    return operator_channel.ask(lambda: stub.ListRemains(request, timeout=operator_channel.SECONDS), "audit")
