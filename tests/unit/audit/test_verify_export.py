"""`valv verify`: an export lists what its receipts open, no more, no less, nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from google.protobuf.json_format import MessageToDict

from services.audit import wire
from services.kit.event import Origin, Outcome, Target
from tests.unit.audit.test_verify import verify
from tests.unit.audit.world import World
from valv.audit.v1 import activity_pb2

pytestmark = pytest.mark.clause("P5")
Rows = list[dict[str, Any]]


@pytest.fixture
async def rows(world: World) -> Rows:
    """What the API exports of a customer's five events, as its JSON."""
    anna = world.ids.new("usr")
    await world.fill(3)
    events = [world.event(anna) for _ in range(4)]
    target, origin = Target("file", world.ids.new("fil")), Origin("192.0.2.7", "curl/8")
    details = {"bytes": 5, "window_seconds": 1 << 40, "currency": "sek"}
    refused = {"outcome": Outcome.DENIED, "reason": "NOT_FOUND", "request": "0" * 32, "session": world.ids.new("ses")}
    events.append(world.event(anna, target=target, origin=origin, details=details, **refused))
    await world.append(*events)
    await world.sign()
    world.clock.advance(1)
    page = await world.activity.page(anna, 50, "", receipts=True)
    exported = [
        activity_pb2.ExportedActivity(
            activity=activity_pb2.Activity(
                event=wire.message_of(one.event), producer=one.source.producer, index=one.index, provable=one.provable
            ),
            receipt=receipt.decode(),
        )
        for one, receipt in zip(page.shown, page.receipts, strict=True)
    ]
    return [MessageToDict(each) for each in exported]


def by_command_line(path: Path, rows: Rows) -> Path:
    """The layout of deploy/cli/archive.py."""
    with ZipFile(path.with_suffix(".zip"), "w") as archive:
        archive.writestr("account.json", "{}")
        archive.writestr("activity.jsonl", "".join(f"{json.dumps(row['activity'])}\n" for row in rows))
        for row in rows:
            if row.get("receipt"):
                archive.writestr(f"receipts/{row['activity']['event']['eventId']}.tlog-proof", row["receipt"])
    return path.with_suffix(".zip")


def by_web_client(path: Path, rows: Rows) -> Path:
    """The layout of services/gateway/web/src/archive.ts."""
    with ZipFile(path.with_suffix(".zip"), "w") as archive:
        archive.writestr("activity.json", json.dumps({"activities": [row["activity"] for row in rows]}))
        for row in rows:
            if row.get("receipt"):
                archive.writestr(f"receipts/{row['activity']['event']['eventId']}.txt", row["receipt"])
    return path.with_suffix(".zip")


def unpacked(path: Path, rows: Rows) -> Path:
    with ZipFile(by_command_line(path, rows)) as archive:
        archive.extractall(path)
    return path


def lines(path: Path, rows: Rows) -> Path:
    path.with_suffix(".jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    return path.with_suffix(".jsonl")


@pytest.fixture(params=[by_command_line, by_web_client, unpacked, lines])
def layout(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Rows], Path]:
    return lambda rows: request.param(tmp_path / "export", rows)


async def test_an_export_that_is_as_its_receipts_say_holds(
    world: World, rows: Rows, layout: Callable[[Rows], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = layout(rows)
    assert verify(path, key=world.signer.verifier.vkey) == 0
    said = capsys.readouterr().out
    assert said == f"OK   {path}: all 5 events it lists are in the log as it shows them; nothing else in it is proven\n"
    assert verify(path, "--log", world.folder / "log", key=world.signer.verifier.vkey) == 0


CHANGES: list[tuple[str, Any]] = [
    ("time", "2026-11-22T12:00:00.000001Z"),
    ("action", "files.file.delete"),
    ("outcome", "OUTCOME_FAILED"),
    ("reason", "OTHER"),
    ("reason", ""),
    ("actor", {"kind": "KIND_OPERATOR", "id": "usr_x"}),
    ("actor", {}),
    ("subject", "usr_x"),
    ("object", {"kind": "file"}),
    ("origin", {"address": "192.0.2.8", "device": "curl/8"}),
    ("requestId", "1" * 32),
    ("details", {"bytes": "6", "windowSeconds": str(1 << 40), "currency": "sek"}),
    ("details", {"bytes": "5", "windowSeconds": str(1 << 40)}),
    ("details", None),
    ("eventId", "evt_x"),
    ("added", "something"),
    ("session", ["list"]),
]


@pytest.mark.parametrize("name,value", CHANGES)
async def test_no_listed_event_differs_from_its_receipt(
    world: World, rows: Rows, tmp_path: Path, name: str, value: object
) -> None:
    rows[0]["activity"]["event"][name] = value
    for layout in (by_command_line, lines):
        assert verify(layout(tmp_path / "export", rows), key=world.signer.verifier.vkey) == 1


@pytest.mark.parametrize("name,value", [("index", "1"), ("index", None), ("producer", "auth"), ("producer", "")])
async def test_nothing_else_of_a_row_differs_from_its_receipt(
    world: World, rows: Rows, layout: Callable[[Rows], Path], name: str, value: object
) -> None:
    rows[0]["activity"][name] = value
    assert verify(layout(rows), key=world.signer.verifier.vkey) == 1


async def test_a_missing_receipt_is_named_and_left_open(
    world: World, rows: Rows, layout: Callable[[Rows], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    event = rows[1]["activity"]["event"]["eventId"]
    del rows[1]["receipt"]
    path = layout(rows)
    assert verify(path, key=world.signer.verifier.vkey) == 2
    said = capsys.readouterr().out
    assert f"OPEN {path}: {event} has no receipt\n" in said
    assert f"OPEN {path}: 4 events proven, 1 without proof\n" in said


async def test_rows_left_out_repeated_or_exchanged_are_found(
    world: World, rows: Rows, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vkey = world.signer.verifier.vkey
    path = by_command_line(tmp_path / "export", rows)
    with ZipFile(path) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    listed = held["activity.jsonl"].splitlines(keepends=True)
    for bent in (listed[1:], [*listed, listed[0]], []):
        with ZipFile(path, "w") as archive:
            for name, data in (held | {"activity.jsonl": b"".join(bent)}).items():
                archive.writestr(name, data)
        assert verify(path, key=vkey) == 1
    assert "has a receipt, but the export does not list it" in capsys.readouterr().out
    rows[0]["receipt"], rows[1]["receipt"] = rows[1]["receipt"], rows[0]["receipt"]
    assert verify(lines(tmp_path / "export", rows), key=vkey) == 1
    assert verify(lines(tmp_path / "export", []), key=vkey) == 2


@pytest.mark.parametrize("text", ["", "x", "[]", "{}", '{"activities": 5}', '{"activities": [5]}', "[" * 100_000])
def test_what_is_no_export_is_not_believed(world: World, tmp_path: Path, text: str) -> None:
    path = tmp_path / "export.zip"
    for name in ("activity.json", "activity.jsonl"):
        with ZipFile(path, "w") as archive:
            archive.writestr(name, text)
        expected = 2 if (name, text) == ("activity.jsonl", "") else 1
        assert verify(path, key=world.signer.verifier.vkey) == expected, name
