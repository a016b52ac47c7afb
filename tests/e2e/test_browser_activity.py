"""A customer narrows their activity in a real browser, and takes along what is shown."""

from __future__ import annotations

import csv
import io
import json
import os
import secrets
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browsing import sign_in, signed_in, visiting
from tests.support.live import Live
from tests.support.person import Person, eventually


@pytest.fixture
def page(browser: Browser, live: Live) -> Iterator[Page]:
    """A browser of one's own for each test: nobody is signed in."""
    with visiting(browser, live) as opened:
        yield opened


@pytest.mark.clause("P5", "ASVS 1.2.10")
def test_the_activity_is_narrowed_and_taken_along(page: Page, live: Live) -> None:
    person = Person(live)
    person.sign_up()
    person.sign_in()
    for number in range(3):
        person.upload(f"{number}.bin", secrets.token_bytes(1000))
    uploads = {row["event"]["eventId"] for row in person.proven({"files.file.upload"})}
    assert uploads
    sign_in(page, person)
    signed_in(page, person)
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Activity", exact=True).click()
    eventually(lambda: _narrowed(page, "File uploaded", 3), 60)
    page.get_by_label("Who did it").select_option("An operator")
    page.get_by_role("button", name="Show", exact=True).press("Enter")
    expect(page.get_by_text("Nothing answers the filter.")).to_be_visible()
    page.get_by_label("Who did it").select_option("You")
    page.get_by_label("From").fill("2020-01-01")
    page.get_by_label("Up to and including").fill("2099-12-31")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_text("3 events shown.")).to_be_visible()
    if folder := os.environ.get("VALV_SHOTS"):
        page.screenshot(path=f"{folder}/activity.png", full_page=True)

    rows = list(csv.DictReader(io.StringIO(_taken(page, "CSV", ".csv").decode(), newline="")))
    assert [row["action"] for row in rows] == ["files.file.upload"] * 3
    lines = [json.loads(line) for line in _taken(page, "JSONL", ".jsonl").splitlines()]
    assert [line["event_id"] for line in lines] == [row["event_id"] for row in rows]
    assert [line["leaf_hash"] for line in lines] == [row["leaf_hash"] for row in rows]
    with zipfile.ZipFile(io.BytesIO(_taken(page, "Receipts", ".zip"))) as archive:
        assert archive.testzip() is None
        assert len(archive.read("activity.jsonl").splitlines()) == 3
        receipts = [name for name in archive.namelist() if name.startswith("receipts/")]
        assert {name.removeprefix("receipts/").removesuffix(".txt") for name in receipts} >= uploads
        assert all(archive.read(name).startswith(b"c2sp.org/tlog-proof@v1\n") for name in receipts)


def _narrowed(page: Page, what: str, count: int) -> bool | None:
    page.reload()
    page.get_by_text("Filter", exact=True).press("Enter")
    page.get_by_label("What happened").select_option(label=what)
    page.get_by_role("button", name="Show", exact=True).click()
    try:
        expect(page.get_by_text(f"{count} events shown.")).to_be_visible(timeout=3000)
    except AssertionError:
        return None
    return True


def _taken(page: Page, name: str, ending: str) -> bytes:
    with page.expect_download() as download:
        page.get_by_role("button", name=name, exact=True).click()
    assert download.value.suggested_filename.endswith(ending)
    return Path(download.value.path()).read_bytes()
