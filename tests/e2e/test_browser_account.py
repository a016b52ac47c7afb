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

from tests.support.browsing import mailed_link, open_account, sign_in, signed_in, visiting
from tests.support.live import Live
from tests.support.person import PASSWORD, Person, eventually

NEW_PASSWORD = "the tide table hangs by the door"


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


@pytest.mark.clause("ASVS 6.4.3", "P9")
def test_a_forgotten_password_is_replaced_by_mail(page: Page, person: Person) -> None:
    page.goto("/sign-in")
    page.get_by_role("link", name="Forgot your password?").click()
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("heading", level=1, name="Check your mail")).to_be_visible()
    page.goto(mailed_link(person, "reset"))
    assert "token" not in page.url
    page.get_by_label("New password").fill("password1")
    page.get_by_role("button", name="Save password").click()
    expect(page.get_by_label("New password")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("New password").fill(NEW_PASSWORD)
    page.get_by_role("button", name="Save password").click()
    expect(page.get_by_role("heading", level=1, name="Your password is changed")).to_be_visible()
    sign_in(page, person)
    expect(page.get_by_text("is not right")).to_be_visible()
    sign_in(page, person, NEW_PASSWORD)
    signed_in(page, person)


@pytest.mark.clause("ASVS 7.4.3", "ASVS 7.5.2", "P8")
def test_another_session_is_seen_and_ended(page: Page, person: Person) -> None:
    person.sign_in()
    sign_in(page, person)
    open_account(page, "Sign-in and sessions")
    rows = page.get_by_test_id("session")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("This one")
    rows.last.get_by_role("button", name=re.compile("^End the session")).click()
    expect(rows).to_have_count(1)
    refused = eventually(lambda: _refusal(person))
    assert refused == 401
    page.get_by_role("button", name="End all, this one too").click()
    page.get_by_role("dialog").get_by_role("button", name="End all, this one too").click()
    expect(page.get_by_role("heading", level=1, name="Sign in")).to_be_visible()


def _refusal(person: Person) -> int | None:
    status = person.http.get("/v1/files").status_code
    return None if status == 200 else status


def test_an_address_changes_when_its_owner_opens_the_mailed_link(page: Page, person: Person) -> None:
    moved = Person(person.live, email=f"{secrets.token_hex(6)}@example.com")
    sign_in(page, person)
    signed_in(page, person)
    page.goto("/account")
    page.get_by_label("New e-mail").fill(moved.email)
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_text(f"We have sent a link to {moved.email}")).to_be_visible()
    page.goto(mailed_link(moved, "confirm-change"))
    expect(page.get_by_role("heading", level=1, name="Your address is changed")).to_be_visible()
    assert "token" not in page.url
    signed_in(page, moved)
    eventually(lambda: any(moved.email in mail["text"] for mail in person.mails()) or None)


def test_a_password_changes_and_other_sessions_end(page: Page, person: Person) -> None:
    person.sign_in()
    sign_in(page, person)
    open_account(page, "Sign-in and sessions")
    page.get_by_role("button", name="Change password").click()
    page.get_by_label("Present password").fill("not my password, alas")
    page.get_by_label("New password").fill(NEW_PASSWORD)
    page.get_by_role("button", name="Save password").click()
    expect(page.get_by_label("Present password")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Present password").fill(PASSWORD)
    page.get_by_role("button", name="Save password").click()
    expect(page.get_by_text("Your password is changed.")).to_be_visible()
    assert eventually(lambda: _refusal(person)) == 401
    signed_in(page, person)


def test_everything_is_taken_along_in_one_archive(page: Page, person: Person, tmp_path: Path) -> None:
    content = secrets.token_bytes(100_000)
    person.sign_in().upload("räksmörgås.bin", content)
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
        assert receipts
        assert archive.read(receipts[0]).startswith(b"c2sp.org/tlog-proof@v1\n")
    expect(page.get_by_text("The archive is ready")).to_be_visible()


def test_an_erasure_can_be_taken_back_while_there_is_time(page: Page, person: Person) -> None:
    sign_in(page, person)
    open_account(page, "Your data")
    page.get_by_role("button", name="Erase my account").click()
    page.get_by_role("dialog").get_by_role("button", name="Erase my account").click()
    expect(page.get_by_text("Your account will be erased on")).to_be_visible()
    page.reload()
    page.get_by_role("button", name="Keep my account").click()
    expect(page.get_by_text("Your account stays. Nothing was erased.")).to_be_visible()
    expect(page.get_by_role("button", name="Erase my account")).to_be_visible()
