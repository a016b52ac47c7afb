"""The evidence of a whole running Valv: every check reports, and breaking a thing breaks its promise, with an alert."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from deploy.cli.layout import REPOSITORY
from deploy.cli.practices import BROKEN
from services.kit.practices import PRACTICES
from tests.support.live import Live
from tests.support.person import Person, eventually, newcomer
from tests.support.shopping import Shopper, add_card

SOON_SECONDS = 90
CARD = "5555 5555 5555 4444"
UNRECORDED = "gateway.unrecorded_requests"


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A Valv of our own whose checks run each few seconds."""
    made = Live(tmp_path_factory.mktemp("evidence"))
    for config in made.layout.configs.glob("*.toml"):
        config.write_text(config.read_text("utf-8").replace("every_seconds = 120", "every_seconds = 5"), "utf-8")
    try:
        made.start()
        yield made
    finally:
        made.close()


def checks(live: Live) -> dict[str, dict[str, Any]]:
    practices = Person(live).http.get("/v1/practices").json()["practices"]
    return {check["check"]: check for practice in practices for check in practice.get("checks", [])}


def command(live: Live) -> subprocess.CompletedProcess[str]:
    authority = live.layout.certificates / "browser" / "ca.pem"
    line = [sys.executable, "-m", "deploy.cli", "practices", "--url", live.address, "--ca", str(authority)]
    return subprocess.run(line, capture_output=True, text=True, check=False, cwd=REPOSITORY)


@pytest.mark.clause("P3", "P5", "P6", "P7", "P8", "P9", "P10", "P11", "P12", "P13", "PCI DSS 10.7.2")
def test_every_check_reports_and_is_kept(hurried: Live) -> None:
    def wrong() -> set[str]:
        return {name for name, check in checks(hurried).items() if check["state"] != "STATE_KEPT"}

    # Nobody attests the sandbox, and no browser is told to insist on anything at localhost: these are no checks here.
    eventually(lambda: True if wrong() == {"billing.attestation_age", "gateway.edge_hsts"} else None, SOON_SECONDS)
    found = checks(hurried)
    assert set(found) == set(PRACTICES)
    assert found["gateway.edge_tls"]["measured"] == "256"
    assert "time" in found["gateway.edge_listeners"]


@pytest.mark.clause("P11", "PCI DSS 10.4.1.1", "PCI DSS 10.7.2", "PCI DSS 12.10.7")
def test_a_card_number_in_a_log_breaks_the_promise_raises_an_alert_and_heals(hurried: Live) -> None:
    name = "files.card_numbers_in_log"
    log = hurried.layout.logs / "files.log"
    whole = log.stat().st_size
    with log.open("a", encoding="utf-8") as lines:
        lines.write(f"a library printed {CARD}\n")

    def alerted() -> dict[str, Any] | None:
        found = checks(hurried)[name]
        return found if found["state"] == "STATE_BROKEN" and "alertTime" in found else None

    assert eventually(alerted, SOON_SECONDS)["measured"] == "1"
    told = command(hurried)
    assert told.returncode == BROKEN, told.stderr
    assert "1 alerts are open" in told.stdout
    assert "practice broken" in hurried.log("files")
    assert "practice alert" in hurried.log("audit")
    kept = log.read_text("utf-8").replace(CARD, "*")
    log.write_text(kept[: whole // 2], "utf-8")  # as its rotation would

    def healed() -> bool | None:
        found = checks(hurried)[name]
        return (found["state"] == "STATE_KEPT" and "alertTime" not in found) or None

    assert eventually(healed, SOON_SECONDS)


def compared(live: Live) -> list[tuple[int, int]]:
    """Return how many requests the gateway compared with the log each time, and how many the log lacked."""
    lines = (json.loads(line) for line in live.log("gateway").splitlines() if "requests compared with the log" in line)
    return [(line["count"], line["number"]) for line in lines]


@pytest.mark.clause("P5", "PCI DSS 10.3.4")
def test_what_people_do_in_a_day_lacks_nowhere(hurried: Live) -> None:
    before = sum(count for count, _ in compared(hurried))
    person = newcomer(hurried)
    stored = person.upload("a", b"x" * (3 << 20))
    path = f"/v1/files/{stored['fileId']}/content"
    assert person.http.get(path).status_code == 200
    assert person.http.get(path, headers={"Range": "bytes=1-2"}).status_code == 206
    add_card(person, CARD)
    Shopper(person).buy()
    person.activities()
    person.http.delete(f"/v1/files/{stored['fileId']}").raise_for_status()
    person.http.post("/v1/session:signOut", json={}).raise_for_status()

    def all_found() -> bool | None:
        counts = compared(hurried)
        return (sum(count for count, _ in counts) - before >= 10 and counts[-1][1] == 0) or None

    assert eventually(all_found, SOON_SECONDS)
    assert checks(hurried)[UNRECORDED]["state"] == "STATE_KEPT"


@pytest.mark.clause("P5", "PCI DSS 10.3.4")
def test_a_record_that_somebody_takes_out_of_an_outbox_is_missed(hurried: Live) -> None:
    person = newcomer(hurried)
    hurried.terminate("audit")
    waits = hurried.log("files").count("relay waits")
    eventually(lambda: hurried.log("files").count("relay waits") > waits or None, SOON_SECONDS)
    listed = person.http.get("/v1/files")
    assert listed.status_code == 200
    request = listed.headers["x-request-id"].encode()
    with closing(sqlite3.connect(hurried.layout.data / "files" / "files.db")) as outbox, outbox:
        gone = outbox.execute("DELETE FROM outbox WHERE number IS NULL AND instr(event, ?)", (request,)).rowcount
    assert gone == 1
    hurried.start_one("audit")

    def missed() -> dict[str, Any] | None:
        found = checks(hurried)[UNRECORDED]
        return found if found["state"] == "STATE_BROKEN" else None

    assert eventually(missed, SOON_SECONDS)["measured"] == "1"
