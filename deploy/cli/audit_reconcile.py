"""Owns `valv audit reconcile`: what each service says that it sent, against what the log holds, now, for an operator.

Must never call agreement what was not compared: the exit code is 0 only when every service has said something lately
and the log agrees with it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import UTC

import grpc

from deploy.cli import operator_channel
from valv.audit.v1 import reconciliation_pb2, reconciliation_pb2_grpc

_AGREES = reconciliation_pb2.Balance.VERDICT_AGREES
_WORDS = {
    _AGREES: "agrees",
    reconciliation_pb2.Balance.VERDICT_DIFFERS: "DIFFERS",
    reconciliation_pb2.Balance.VERDICT_OLD: "agrees, but the service has said nothing lately",
    reconciliation_pb2.Balance.VERDICT_SILENT: "not known: the service has said nothing yet",
}


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="valv audit reconcile",
        description="Compare what services say they sent with what the log holds. Both the use and the result are "
        "recorded. Exit code: 0 the log agrees with all, 1 with one it does not, or it is not known.",
    )
    operator_channel.add_flags(parser, "audit")
    flags = parser.parse_args(arguments)
    balances: list[reconciliation_pb2.Balance] = []

    def run(channel: grpc.Channel) -> Iterator[str]:
        balances.extend(_reconciled(channel))
        yield from map(_line, balances)

    refused = operator_channel.run(flags, "audit", run)
    return refused or int(not balances or any(each.verdict != _AGREES for each in balances))


def _reconciled(channel: grpc.Channel) -> list[reconciliation_pb2.Balance]:
    stub = reconciliation_pb2_grpc.ReconciliationServiceStub(channel)
    return list(stub.Reconcile(reconciliation_pb2.ReconcileRequest(), timeout=operator_channel.LONG_SECONDS).balances)


def _line(balance: reconciliation_pb2.Balance) -> str:
    verdict = _WORDS.get(balance.verdict, "not known")
    if not balance.HasField("time"):
        return f"{balance.producer:8} {verdict}\n"
    said = f"sent {balance.stated_count} up to number {balance.number}, said {_time(balance)}"
    return f"{balance.producer:8} {balance.epoch}: {said}; the log holds {balance.held_count}: {verdict}\n"


def _time(balance: reconciliation_pb2.Balance) -> str:
    return balance.time.ToDatetime(UTC).isoformat(timespec="seconds")
