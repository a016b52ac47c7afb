"""Owns `valv audit hold`: legal holds on records of the log, placed, listed and released by an operator."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from deploy.cli import operator_channel
from valv.audit.v1 import hold_pb2, hold_pb2_grpc

_CAUSES = {
    "litigation": hold_pb2.HOLD_CAUSE_LITIGATION,
    "authority": hold_pb2.HOLD_CAUSE_AUTHORITY,
    "investigation": hold_pb2.HOLD_CAUSE_INVESTIGATION,
}
_NAMES = {cause: name for name, cause in _CAUSES.items()}


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit code."""
    parser = _parser()
    flags = parser.parse_args(arguments)
    if flags.command == "place" and (flags.account is None) == (flags.since is None):
        parser.error("an account or --since, one of them")
    return operator_channel.run(flags, "audit", lambda channel: [_run(hold_pb2_grpc.HoldServiceStub(channel), flags)])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="valv audit hold",
        description="Legal holds, as an operator. Every use is recorded, and shown to the customer unless secret.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    place = commands.add_parser("place", help="hold the records about a customer, or all that arrived within a time")
    place.add_argument("account", nargs="?", help="account id")
    place.add_argument("--since", type=_time, help="from then on (ISO 8601, with its offset)")
    place.add_argument("--until", type=_time, help="before then; without it, without end")
    place.add_argument("--cause", choices=_CAUSES, required=True)
    place.add_argument("--secret", action="store_true", help="the authority's order forbids telling the customer")
    shown = commands.add_parser("list", help="list the holds in force")
    shown.add_argument("--released", action="store_true", help="with those that were released")
    release = commands.add_parser("release", help="release a hold")
    release.add_argument("hold", help="the hold's id")
    for command in (place, shown, release):
        operator_channel.add_flags(command, "audit")
    return parser


def _run(stub: hold_pb2_grpc.HoldServiceStub, flags: argparse.Namespace) -> str:
    seconds = operator_channel.SECONDS
    if flags.command == "place":
        request = hold_pb2.PlaceHoldRequest(cause=_CAUSES[flags.cause], secret=flags.secret)
        if flags.account is not None:
            request.account_id = flags.account
        else:
            request.span.since_time.FromDatetime(flags.since)
            if flags.until is not None:
                request.span.until_time.FromDatetime(flags.until)
        return _line(stub.PlaceHold(request, timeout=seconds).hold)
    if flags.command == "release":
        stub.ReleaseHold(hold_pb2.ReleaseHoldRequest(hold_id=flags.hold), timeout=seconds)
        return f"released    {flags.hold}\n"
    lines, token = list[str](), ""
    while True:
        wanted = hold_pb2.ListHoldsRequest(page_token=token, released=flags.released)
        page = stub.ListHolds(wanted, timeout=seconds)
        lines += [_line(hold) for hold in page.holds]
        token = page.next_page_token
        if not token:
            return "".join(lines)


def _line(hold: hold_pb2.Hold) -> str:
    over = hold.account_id or f"{_shown(hold.span.since_time)}..{_end(hold.span)}"
    words = [hold.hold_id, over, _NAMES[hold.cause], *(["secret"] if hold.secret else [])]
    words += ["placed", _shown(hold.place_time), "by", hold.placed_by]
    if hold.HasField("release_time"):
        words += ["released", _shown(hold.release_time), "by", hold.released_by]
    return " ".join(words) + "\n"


def _end(span: hold_pb2.HoldSpan) -> str:
    return _shown(span.until_time) if span.HasField("until_time") else ""


def _shown(stamp: Timestamp) -> str:
    return stamp.ToDatetime(UTC).isoformat(timespec="seconds")


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.utcoffset() is None:
        raise argparse.ArgumentTypeError("a time needs its offset, such as 2026-01-31T00:00:00Z")
    return time.astimezone(UTC)
