"""Owns `valv accounts`: what an operator does with a customer's account, under their own name."""

from __future__ import annotations

import argparse
from datetime import UTC

from google.protobuf.timestamp_pb2 import Timestamp

from deploy.cli import operator_channel
from valv.auth.v1 import operator_pb2, operator_pb2_grpc

_REASONS = {
    "owner": operator_pb2.DISABLE_REASON_OWNER,
    "compromised": operator_pb2.DISABLE_REASON_COMPROMISED,
    "abuse": operator_pb2.DISABLE_REASON_ABUSE,
    "legal": operator_pb2.DISABLE_REASON_LEGAL,
}
_NAMES = {reason: name for name, reason in _REASONS.items()}


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit code."""
    flags = _parser().parse_args(arguments)
    return operator_channel.run(
        flags, "auth", lambda channel: [_run(operator_pb2_grpc.OperatorServiceStub(channel), flags)]
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="valv accounts", description="Accounts, as an operator. Every use is recorded and shown to the customer."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, about in (
        ("find", "look an account up"),
        ("disable", "end its sessions and let nobody sign in"),
        ("enable", "let its owner sign in again"),
        ("end-sessions", "sign it out everywhere"),
    ):
        command = commands.add_parser(name, help=about)
        what = "account id, or e-mail address" if name == "find" else "account id"
        command.add_argument("account", help=what)
        if name == "disable":
            command.add_argument("--reason", choices=_REASONS, required=True)
        operator_channel.add_flags(command, "auth")
    return parser


def _run(stub: operator_pb2_grpc.OperatorServiceStub, flags: argparse.Namespace) -> str:
    seconds = operator_channel.SECONDS
    if flags.command == "find":
        wanted = {"email" if "@" in flags.account else "account_id": flags.account}
        return _shown(stub.FindAccount(operator_pb2.FindAccountRequest(**wanted), timeout=seconds).account)
    if flags.command == "disable":
        request = operator_pb2.DisableAccountRequest(account_id=flags.account, reason=_REASONS[flags.reason])
        disabled = stub.DisableAccount(request, timeout=seconds)
        return _shown(disabled.account) + f"ended       {disabled.ended_sessions} sessions\n"
    if flags.command == "enable":
        return _shown(
            stub.EnableAccount(operator_pb2.EnableAccountRequest(account_id=flags.account), timeout=seconds).account
        )
    ended = stub.EndSessions(operator_pb2.EndSessionsRequest(account_id=flags.account), timeout=seconds)
    return f"ended       {ended.ended_sessions} sessions\n"


def _shown(account: operator_pb2.OperatorAccount) -> str:
    lines = [("account", account.account_id), ("address", account.email), ("language", account.locale)]
    lines += [
        (name, _time(stamp))
        for name, stamp in (
            ("begun", account.create_time),
            ("confirmed", account.confirm_time),
            ("disabled", account.disable_time),
        )
    ]
    if account.HasField("disable_time"):
        lines.append(("because", _NAMES[account.disable_reason]))
    lines.append(("sessions", f"{account.open_sessions} open"))
    return "".join(f"{name:11} {value}\n" for name, value in lines)


def _time(stamp: Timestamp) -> str:
    return stamp.ToDatetime(UTC).isoformat(timespec="seconds") if stamp.seconds else "no"
