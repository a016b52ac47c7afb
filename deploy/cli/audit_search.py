"""Owns `valv audit search`: finding events in the log as an operator, under their own name and for a reason.

Must never show an event without having said why it is asked for: the customers it is about are told.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from google.protobuf.json_format import MessageToDict

from deploy.cli import operator_channel
from valv.audit.v1 import activity_pb2, event_pb2, search_pb2, search_pb2_grpc

REASONS = {
    "review": search_pb2.SEARCH_REASON_REVIEW,
    "owner": search_pb2.SEARCH_REASON_OWNER,
    "compromised": search_pb2.SEARCH_REASON_COMPROMISED,
    "abuse": search_pb2.SEARCH_REASON_ABUSE,
    "legal": search_pb2.SEARCH_REASON_LEGAL,
}
_KINDS = {
    "nobody": event_pb2.Actor.KIND_NOBODY,
    "customer": event_pb2.Actor.KIND_CUSTOMER,
    "operator": event_pb2.Actor.KIND_OPERATOR,
    "service": event_pb2.Actor.KIND_SERVICE,
}
_OUTCOMES = {
    "success": event_pb2.OUTCOME_SUCCESS,
    "denied": event_pb2.OUTCOME_DENIED,
    "failed": event_pb2.OUTCOME_FAILED,
}
_HEADINGS = ("time", "outcome", "action", "by", "about", "object", "index", "event")


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit code."""
    flags = _parser().parse_args(arguments)
    return operator_channel.run(
        flags, "audit", lambda channel: _search(search_pb2_grpc.SearchServiceStub(channel), flags)
    )


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say who asks, why, and where."""
    parser.add_argument("--reason", choices=REASONS, required=True, help="why; told to the customers shown")
    operator_channel.add_flags(parser, "audit")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="valv audit search",
        description="Events that answer every filter, newest first. Recorded, and told to the customers shown.",
    )
    for name, about in (
        ("subject", "whose data it touched: a customer's id"),
        ("actor", "who did it: a customer's id, an operator's name, a service"),
        ("action", "such as files.file.download"),
        ("area", "all actions of one part, such as files"),
        ("object", "id of what it touched"),
    ):
        parser.add_argument(f"--{name}", default="", help=about)
    parser.add_argument("--kind", choices=_KINDS, help="what kind of actor did it")
    parser.add_argument("--outcome", choices=_OUTCOMES, help="how it ended")
    parser.add_argument("--since", type=_time, help="not before, ISO 8601; UTC unless it says otherwise")
    parser.add_argument("--until", type=_time, help="before")
    parser.add_argument("--size", type=int, default=50, help="events on a page, at most 100")
    parser.add_argument("--pages", type=int, default=1, help="how many pages to read; each is a search of its own")
    parser.add_argument("--page", default="", metavar="TOKEN", help="go on from where an earlier search ended")
    parser.add_argument("--json", action="store_true", help="a JSON object a line")
    add_flags(parser)
    return parser


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _search(stub: search_pb2_grpc.SearchServiceStub, flags: argparse.Namespace) -> Iterator[str]:
    shown, token = 0, ""
    for number, page in enumerate(_pages(stub, flags)):
        if not number and not flags.page:
            sys.stderr.write(f"{'' if page.counted_all else 'at least '}{page.at_least} events answer\n")
        if flags.json:
            yield "".join(json.dumps(MessageToDict(activity)) + "\n" for activity in page.activities)
        else:
            yield _table(page.activities, heading=not shown)
        shown, token = shown + len(page.activities), page.next_page_token
    if token:
        sys.stderr.write(f"{shown} shown so far; there may be more further back: --page {token}\n")


def _pages(
    stub: search_pb2_grpc.SearchServiceStub, flags: argparse.Namespace
) -> Iterator[search_pb2.SearchEventsResponse]:
    request = search_pb2.SearchEventsRequest(
        subject=flags.subject,
        actor=flags.actor,
        actor_kind=_KINDS.get(flags.kind, event_pb2.Actor.KIND_UNSPECIFIED),
        action=flags.action,
        area=flags.area,
        object=flags.object,
        outcome=_OUTCOMES.get(flags.outcome, event_pb2.OUTCOME_UNSPECIFIED),
        reason=REASONS[flags.reason],
        page_size=flags.size,
        page_token=flags.page,
    )
    if flags.since is not None:
        request.from_time.FromDatetime(flags.since)
    if flags.until is not None:
        request.to_time.FromDatetime(flags.until)
    for _ in range(flags.pages):
        page = stub.SearchEvents(request, timeout=operator_channel.SECONDS)
        yield page
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def _table(activities: Sequence[activity_pb2.Activity], *, heading: bool) -> str:
    rows: list[tuple[str, ...]] = [_HEADINGS] if heading and activities else []
    rows += [_row(activity) for activity in activities]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))] if rows else []
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n" for row in rows
    )


def _row(activity: activity_pb2.Activity) -> tuple[str, ...]:
    event = activity.event
    kind = event_pb2.Actor.Kind.Name(event.actor.kind).removeprefix("KIND_").lower()
    outcome = event_pb2.Outcome.Name(event.outcome).removeprefix("OUTCOME_").lower()
    return (
        event.time.ToDatetime(UTC).strftime("%Y-%m-%d %H:%M:%S"),
        f"{outcome} {event.reason}".strip(),
        event.action,
        "itself" if event.actor.id and event.actor.id == event.subject else f"{kind} {event.actor.id}".strip(),
        event.subject or "-",
        event.object.id or event.object.kind or "-",
        str(activity.index),
        event.event_id,
    )
