"""What forms and pages owe the people who use them with a password manager, or want to leave."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.live import Live
from tests.support.person import PASSWORD, Person

SECONDS = 30_000
PASTED = """field => {
    const offered = new DataTransfer();
    offered.setData("text/plain", "pasted");
    return field.dispatchEvent(new ClipboardEvent("paste", {clipboardData: offered, bubbles: true, cancelable: true}));
}"""


@pytest.fixture(scope="module")
def page(browser: Browser, live: Live) -> Iterator[Page]:
    """A browser in which nobody is signed in at first."""
    context = browser.new_context(ignore_https_errors=True, locale="en-GB", base_url=live.address)
    context.set_default_timeout(SECONDS)
    expect.set_options(timeout=SECONDS)
    yield context.new_page()
    context.close()


@pytest.mark.clause("ASVS 6.2.6", "ASVS 6.2.7", "NIST 800-63B-4 3.1.1.2")
@pytest.mark.parametrize("path, purpose", [("/sign-in", "current-password"), ("/sign-up", "new-password")])
def test_a_password_is_masked_and_may_come_from_a_manager(page: Page, path: str, purpose: str) -> None:
    page.goto(path)
    field = page.get_by_label("Password", exact=True)
    expect(field).to_have_attribute("type", "password")
    expect(field).to_have_attribute("autocomplete", purpose)
    assert field.evaluate(PASTED) is True, "pasting is prevented"
    field.fill("x" * 64)
    expect(field).to_have_value("x" * 64)


@pytest.mark.clause("ASVS 7.4.4", "P8")
def test_signing_out_is_in_sight_on_every_page(page: Page, live: Live) -> None:
    person = Person(live)
    person.sign_up()
    page.goto("/sign-in")
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    out = page.get_by_role("button", name="Sign out", exact=True)
    names = page.get_by_role("navigation", name="Main").get_by_role("link").all_inner_texts()
    assert len(names) > 2
    for name in names:
        page.get_by_role("navigation", name="Main").get_by_role("link", name=name, exact=True).click()
        expect(out).to_be_visible()
    out.click()
    expect(page.get_by_role("link", name="Sign in", exact=True).first).to_be_visible()
