"""What a person does with their account, in a real browser: second steps, passkeys, sessions, address, data."""

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

from tests.support.live import Live
from tests.support.person import PASSWORD, Person

SECONDS = 30_000


@pytest.fixture
def page(browser: Browser, live: Live) -> Iterator[Page]:
    """A browser of one's own for each test: nobody is signed in."""
    context = browser.new_context(ignore_https_errors=True, locale="en-GB", base_url=live.address)
    context.set_default_timeout(SECONDS)
    expect.set_options(timeout=SECONDS)
    opened = context.new_page()
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda line: wrong.append(line.text) if "Content Security Policy" in line.text else None)
    yield opened
    context.close()
    assert wrong == []


@pytest.fixture
def person(live: Live) -> Person:
    """Somebody with a confirmed account."""
    made = Person(live)
    made.sign_up()
    return made


def _sign_in(page: Page, person: Person, password: str = PASSWORD) -> None:
    page.goto("/sign-in")
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def _open(page: Page, section: str) -> None:
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Account", exact=True).click()
    page.get_by_role("navigation", name="Account").get_by_role("link", name=section, exact=True).click()
    expect(page.get_by_role("heading", level=1, name=section)).to_be_visible()


def test_everything_is_taken_along_in_one_archive(page: Page, person: Person, tmp_path: Path) -> None:
    content = secrets.token_bytes(100_000)
    person.sign_in().upload("räksmörgås.bin", content)
    _sign_in(page, person)
    _open(page, "Your data")
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
        assert receipts
        assert archive.read(receipts[0]).startswith(b"c2sp.org/tlog-proof@v1\n")
    expect(page.get_by_text("The archive is ready")).to_be_visible()
