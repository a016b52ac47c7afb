"""The same walk by a person in a real browser: Chromium, driven by Playwright."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.browsing import visiting
from tests.support.live import Live
from tests.support.person import PASSWORD, eventually

CONTENT = os.urandom(300_000)


@pytest.fixture(scope="module")
def page(browser: Browser, live: Live) -> Iterator[Page]:
    with visiting(browser, live) as opened:
        yield opened


EMAIL = f"{secrets.token_hex(5)}@example.com"


def _go(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Main").get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()


def _mail(live: Live) -> str:
    url = f"http://127.0.0.1:{live.layout.ports.mail}/messages"
    text = eventually(lambda: httpx.get(url, params={"recipient": EMAIL}).json() or None, 60)[0]["text"]
    found = re.search(r"https://\S+#token=\S+", text)
    assert found is not None
    return found[0]


def test_1_sign_up_and_confirm(page: Page, live: Live) -> None:
    page.goto("/")
    page.get_by_role("link", name="Create an account").first.click()
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("heading", name="Check your mail")).to_be_visible()
    page.goto(_mail(live))
    expect(page.get_by_role("heading", name="Your address is confirmed")).to_be_visible()
    assert "token" not in page.url


def test_2_sign_in_and_see_the_time_that_is_left(page: Page) -> None:
    page.goto("/sign-in")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_text(EMAIL).first).to_be_visible()
    expect(page.get_by_role("timer")).to_contain_text(re.compile(r"(29|30):\d\d"))
    assert page.evaluate("document.cookie") == ""
    assert page.evaluate("Object.keys(localStorage).concat(Object.keys(sessionStorage)).join()").find("token") == -1


def test_3_a_file_goes_up_and_comes_down(page: Page, tmp_path: Path) -> None:
    source = tmp_path / "räksmörgås.bin"
    source.write_bytes(CONTENT)
    _go(page, "Files")
    page.locator("input[type=file]").set_input_files(source)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download räksmörgås.bin").click()
    assert Path(download.value.path()).read_bytes() == CONTENT
    assert download.value.suggested_filename == "räksmörgås.bin"
    page.get_by_role("button", name="Delete räksmörgås.bin").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete file").click()
    expect(page.get_by_role("link", name="Download räksmörgås.bin")).to_have_count(0)


def test_4_a_card_is_added_charged_and_the_money_given_back(page: Page, live: Live) -> None:
    _go(page, "Cards")
    page.get_by_role("button", name="Add a card").click()
    frame = page.frame_locator("iframe")
    frame.get_by_label("Card number").fill("4242424242424242")
    frame.get_by_label(re.compile("^Expiry")).fill("12/30")
    frame.get_by_label(re.compile("^(Security code|CVC)")).fill("123")
    page.get_by_role("button", name="Save card").click()
    expect(page.get_by_text(re.compile("Visa ending in 4242")).first).to_be_visible()
    shop = page.context.new_page()
    shop.goto(f"https://localhost:{live.layout.ports.shop}/")
    shop.get_by_role("button", name=re.compile("^Buy")).first.click()
    _go(page, "Charges")
    eventually(lambda: _reloaded(page, page.get_by_text("Paid")))
    shop.get_by_role("button", name=re.compile("^Refund|money back", re.IGNORECASE)).first.click()
    eventually(lambda: _reloaded(page, page.get_by_text("All given back")))
    shop.close()


def test_5_everything_is_in_the_activity_with_receipts(page: Page) -> None:
    _go(page, "Activity")
    wanted = (
        *("Account created", "E-mail address confirmed", "Signed in", "File uploaded", "File downloaded"),
        *("File deleted", "Card added", "Card charged", "Money given back"),
    )
    eventually(lambda: _all_shown(page, wanted), 60)
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("^Receipt")).last.click()
    assert Path(download.value.path()).read_text("utf-8").startswith("c2sp.org/tlog-proof@v1\n")


def test_6_the_security_page_speaks_both_languages(page: Page) -> None:
    page.goto("/security")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_text("P15", exact=True)).to_be_visible()
    page.get_by_label("Language").select_option("sv")
    expect(page.locator("html")).to_have_attribute("lang", "sv")
    expect(page.get_by_text("P15", exact=True)).to_be_visible()
    page.get_by_label("Språk").select_option("en")


def test_7_sign_out_means_out(page: Page) -> None:
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1, name="Sign in")).to_be_visible()
    page.goto("/files")
    expect(page.get_by_role("heading", level=1, name="Sign in")).to_be_visible()


def _reloaded(page: Page, wanted: Locator) -> bool | None:
    """Look again after a reload, as a person would."""
    page.reload()
    try:
        expect(wanted.first).to_be_visible(timeout=3000)
    except AssertionError:
        return None
    return True


def _all_shown(page: Page, wanted: tuple[str, ...]) -> bool | None:
    page.reload()
    more = page.get_by_role("button", name="Show more")
    expect(page.get_by_role("link", name=re.compile("^Receipt")).first).to_be_visible()
    while more.count():
        more.click()
        page.wait_for_timeout(300)
    text = page.locator("main").inner_text()
    return True if all(words in text for words in wanted) else None
