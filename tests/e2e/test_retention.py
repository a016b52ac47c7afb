"""Retention in a whole Valv: more than a year passes for the log, what is over goes, and what is held stays."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.cli import audit, certs
from deploy.cli.verify import main as verify
from services.kit.clock import SystemClock
from tests.e2e.test_evidence import checks
from tests.e2e.test_log_requirements import recorded
from tests.support.live import Live
from tests.support.person import Person, eventually, newcomer

LONG_AGO, LATELY = timedelta(days=-400), timedelta(days=-100)
"""Longer ago than a year, for which records are kept; than three months, for which they are at hand."""
BUNDLE = 256
SWEEP = "audit.retention_sweep"
SOON_SECONDS = 180
UNLIMITED = "\n[rates.customer]\nrequests = 20\nseconds = 1\nburst = 1000000\n"


@pytest.fixture(scope="module")
def aged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A Valv of our own whose log prunes and begins long ago."""
    made = Live(tmp_path_factory.mktemp("retention"))
    gateway, own = (made.layout.configs / f"{role}.toml" for role in ("gateway", "audit"))
    gateway.write_text(gateway.read_text("utf-8") + UNLIMITED, "utf-8")
    text = own.read_text("utf-8").replace("every_seconds = 120", "every_seconds = 20")
    own.write_text(text.replace("[retention.cold]", "[retention]\nprune = true\n\n[retention.cold]"), "utf-8")
    made.move_clock("audit", LONG_AGO)
    try:
        made.start()
        yield made
    finally:
        made.close()


def size(live: Live) -> int:
    return int(live.client().get("/log/checkpoint").text.splitlines()[1])


def fill(person: Person, until: int) -> None:
    """Let somebody read a file of theirs until the log has signed so many entries."""
    file = person.upload("a file", b"abc")["fileId"]
    while (missing := until - size(person.live)) > 0:
        for _ in range(missing):
            person.get(f"/v1/files/{file}")
        eventually(lambda reached=until - missing + 1: True if size(person.live) >= reached else None)  # type: ignore[misc]  # mypy infers no type for a lambda with defaults


def again(live: Live, moved: timedelta) -> None:
    """Let the log go on at another time."""
    live.terminate("audit")
    live.move_clock("audit", moved)
    live.start_one("audit")


def shown(person: Person) -> set[str]:
    return {activity["event"]["eventId"] for activity in person.activities()}


def receipts(person: Person, folder: Path, action: str) -> Iterator[tuple[str, int, Path]]:
    """Yield the event, the index and the receipt of each of somebody's entries of an action."""
    for event in (one["event"] for one in person.proven({action}) if one["event"]["action"] == action):
        reply = eventually(lambda one=event: receipt(person, one["eventId"]))  # type: ignore[misc]  # mypy infers no type for a lambda with defaults
        path = folder / f"{event['eventId']}.tlog-proof"
        path.write_text(reply, "utf-8")
        index = next(int(line.split()[1]) for line in reply.splitlines() if line.startswith("index "))
        yield event["eventId"], index, path


def receipt(person: Person, event: str) -> str | None:
    reply = person.http.get(f"/v1/activity/{event}/receipt")
    return reply.text if reply.status_code == 200 else None


def operator(live: Live, *words: str) -> None:
    certificate = certs.issue_operator(live.layout.certificates, "greta", SystemClock().now())
    flags = ["--certificate", str(certificate), "--audit", f"127.0.0.1:{live.layout.ports.audit}"]
    flags += ["--bundle", str(live.layout.certificates / "workload" / "ca.pem")]
    assert audit.main([*words, *flags]) == 0


@pytest.mark.timeout(600)
@pytest.mark.clause("P5", "P14", "PCI DSS 10.5.1")
def test_what_is_over_goes_what_is_held_stays_and_receipts_prove_for_ever(
    aged: Live, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # More than a year ago: two bundles and a half, and a hold on somebody whose entries begin in the second.
    eventually(lambda: True if checks(aged)[SWEEP].get("measured") == "0" else None, SOON_SECONDS)
    anna = newcomer(aged)
    fill(anna, BUNDLE + 20)
    bo = newcomer(aged)
    operator(aged, "hold", "place", bo.get("/v1/session")["session"]["accountId"], "--cause", "litigation")
    bo.upload("evidence", b"abc")
    fill(anna, 2 * BUNDLE + 60)
    (early,) = receipts(anna, tmp_path, "auth.account.sign_up")
    (held,) = receipts(bo, tmp_path, "files.file.upload")
    assert early[1] < BUNDLE <= held[1] < 2 * BUNDLE < size(aged) < 3 * BUNDLE
    annas, bos = shown(anna), shown(bo)

    # Three months ago: what was there leaves the database, and is shown as ever.
    again(aged, LATELY)
    cold = aged.layout.data / "audit" / "cold" / "000000"
    eventually(lambda: True if {path.name for path in cold.glob("*")} == {"0", "1"} else None, SOON_SECONDS)
    fill(anna, 3 * BUNDLE + 10)
    (late, *_) = receipts(anna, tmp_path, "files.file.upload")
    assert late[1] >= 2 * BUNDLE
    assert annas <= shown(anna)
    assert bos <= shown(bo)

    # Now, but the cold store is away: nothing goes, and the check tells how long ago the last sweep was.
    cold.rename(cold.with_name("away"))
    cold.write_bytes(b"")
    again(aged, timedelta(0))
    since = eventually(lambda: _broken(aged), SOON_SECONDS)
    assert timedelta(days=99) < timedelta(minutes=since) < timedelta(days=101)
    assert aged.client().get("/log/tile/entries/000").status_code == 200
    cold.unlink()
    cold.with_name("away").rename(cold)
    eventually(lambda: _kept(aged), SOON_SECONDS)

    require_over(aged, anna, annas, early, late)
    assert bos <= shown(bo), "the hold keeps all of it"
    require_pruned(aged, cold)
    (aged_key := tmp_path / "key.txt").write_text(aged.client().get("/log/key").text, "utf-8")
    for _, _, path in (early, held, late):
        assert verify([str(path), "--key", str(aged_key)]) == 0
    capsys.readouterr()
    operator(aged, "retention", "--dry-run")
    assert "12 months, 3 of them at hand" in capsys.readouterr().out


def require_over(live: Live, person: Person, before: set[str], early: tuple[Any, ...], late: tuple[Any, ...]) -> None:
    """What is over is shown to nobody, what is not is still proved, out of the cold store."""
    left = shown(person)
    assert early[0] not in left
    assert late[0] in left
    assert len(before & left) < 2 * BUNDLE
    assert receipt(person, early[0]) is None
    assert eventually(lambda: receipt(person, late[0]))
    swept = [event for event in recorded(live) if event.action == "audit.retention.sweep"]
    assert swept[-1].details.count >= BUNDLE
    assert abs(swept[-1].time.ToDatetime(UTC) - datetime.now(UTC)) < timedelta(minutes=10)


def require_pruned(live: Live, cold: Path) -> None:
    """The public log ends at the bundle that the hold begins in; nothing but the third is cold."""
    public = live.client()
    eventually(lambda: public.get("/log/minimum-index").text.startswith(f"{BUNDLE}\n") or None, SOON_SECONDS)
    for tile in ("entries", "0"):
        refused = public.get(f"/log/tile/{tile}/000")
        assert (refused.status_code, "LOG_PRUNED" in refused.text) == (404, True)
        assert public.get(f"/log/tile/{tile}/001").status_code == 200
        assert public.get(f"/log/tile/{tile}/002").status_code == 200
    assert public.get("/log/tile/1/000.p/3").status_code == 200
    assert {path.name for path in cold.glob("*")} == {"2"}


def _broken(live: Live) -> int | None:
    found = checks(live)[SWEEP]
    return int(found["measured"]) if found["state"] == "STATE_BROKEN" else None


def _kept(live: Live) -> bool | None:
    return checks(live)[SWEEP]["state"] == "STATE_KEPT" or None
