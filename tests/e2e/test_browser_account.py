"""What a person does with their account in a real browser: sessions, password, address, and their data."""

from __future__ import annotations

import io
import json
import re
import secrets
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browsing import open_account, sign_in, visiting
from tests.support.live import Live
from tests.support.person import Person


@pytest.fixture
def page(browser: Browser, live: Live) -> Iterator[Page]:
    """A browser of one's own for each test: nobody is signed in."""
    with visiting(browser, live) as opened:
        yield opened


@pytest.fixture
def person(live: Live) -> Person:
    """Somebody with a confirmed account."""
    made = Person(live)
    made.sign_up()
    return made


def test_everything_is_taken_along_in_one_archive(page: Page, person: Person, tmp_path: Path) -> None:
    content = secrets.token_bytes(100_000)
    person.sign_in().upload("räksmörgås.bin", content)
    person.proven({"files.file.upload"})
    sign_in(page, person)
    open_account(page, "Your data")
    with page.expect_download() as download:
        page.get_by_role("button", name="Make the archive").click()
    assert re.fullmatch(r"valv-\d{4}-\d\d-\d\d\.zip", download.value.suggested_filename)
    with zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes())) as archive:
        assert archive.testzip() is None
        names = set(archive.namelist())
        assert {"README.txt", "account.json", "billing.json", "activity.json", "files.json"} <= names
        assert archive.read("files/räksmörgås.bin") == content
        assert json.loads(archive.read("account.json"))["account"]["email"] == person.email
        receipts = [name for name in names if name.startswith("receipts/")]
        assert receipts, archive.read("activity.json")
        assert archive.read(receipts[0]).startswith(b"c2sp.org/tlog-proof@v1\n")
    expect(page.get_by_text("The archive is ready")).to_be_visible()
