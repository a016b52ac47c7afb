"""A person at a real browser: what they do there in more than one test. Chromium, driven by Playwright."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, expect

from tests.support.live import Live
from tests.support.person import PASSWORD, Person, eventually

MILLISECONDS = 30_000
"""How long a page may take to show something, on a machine that is busy."""


@contextmanager
def visiting(browser: Browser, live: Live, locale: str = "en-GB") -> Iterator[Page]:
    """A page in a profile of its own. Whatever went wrong in its scripts, or against its CSP, fails at the end."""
    context = browser.new_context(ignore_https_errors=True, locale=locale, accept_downloads=True, base_url=live.address)
    context.set_default_timeout(MILLISECONDS)
    expect.set_options(timeout=MILLISECONDS)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda line: wrong.append(line.text) if "Content Security Policy" in line.text else None)
    try:
        yield page
    finally:
        context.close()
    assert wrong == []


def sign_in(page: Page, person: Person, password: str = PASSWORD) -> None:
    """Give address and password; what comes then is the test's to see."""
    page.goto("/sign-in")
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def signed_in(page: Page, person: Person) -> None:
    """Wait until the page says who is signed in."""
    expect(page.get_by_role("timer")).to_be_visible()
    expect(page.get_by_role("banner")).to_contain_text(person.email)


def sign_out(page: Page) -> None:
    """Sign out."""
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1, name="Sign in")).to_be_visible()


def open_account(page: Page, section: str) -> None:
    """Go to one of the account's pages."""
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Account", exact=True).click()
    page.get_by_role("navigation", name="Account").get_by_role("link", name=section, exact=True).click()
    expect(page.get_by_role("heading", level=1, name=section)).to_be_visible()


def mailed_link(person: Person, name: str) -> str:
    """Return the address of a page from the newest mail that has it."""

    def mailed() -> str | None:
        for mail in person.mails():
            found = re.search(rf"https://\S+/{name}#token=\S+", mail["text"])
            if found:
                return found[0]
        return None

    return eventually(mailed, 60)
