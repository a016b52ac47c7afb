"""Second steps, passkeys, recovery codes and the question "is it you?", in a real browser."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.authenticator_app import STEP, TYPING
from tests.support.browsing import open_account, sign_in, sign_out, signed_in, visiting
from tests.support.live import Live
from tests.support.person import Person

AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


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


class App:
    """An authenticator app: each step's code once, as the contract wants it."""

    def __init__(self, secret: str) -> None:
        """Take the secret as it was shown."""
        self._totp, self._last = pyotp.TOTP(secret), 0

    def code(self) -> str:
        """Wait for a step whose code was not used, and return it."""
        while int(time.time()) // STEP <= self._last or STEP - time.time() % STEP < TYPING:
            time.sleep(0.2)
        self._last = int(time.time()) // STEP
        return self._totp.at(self._last * STEP)


def _enrol(page: Page) -> tuple[App, list[str]]:
    open_account(page, "Sign-in and sessions")
    page.get_by_role("button", name="Set up an app").click()
    expect(page.get_by_role("img", name=re.compile("^QR code"))).to_be_visible()
    app = App(page.get_by_test_id("totp-secret").inner_text().replace(" ", ""))
    page.get_by_label("Code from the app").fill(app.code())
    page.get_by_role("button", name="Turn on").click()
    codes = page.get_by_role("list", name="Recovery codes").get_by_role("listitem")
    expect(codes).to_have_count(10)
    shown = codes.all_inner_texts()
    page.get_by_role("button", name="I have put them away").click()
    expect(codes).to_have_count(0)
    return app, shown


@pytest.mark.clause("ASVS 6.3.3", "ASVS 6.5.1", "NIST 800-63B-4 3.1.4", "P9")
def test_a_code_from_an_app_is_asked_for_after_the_password(page: Page, person: Person) -> None:
    sign_in(page, person)
    app, codes = _enrol(page)
    sign_out(page)
    sign_in(page, person)
    expect(page.get_by_role("heading", level=1, name="One more step")).to_be_visible()
    code = page.get_by_label("Code from the app")
    expect(code).to_be_focused()
    code.fill("000000")
    page.get_by_role("button", name="Go on").click()
    expect(code).to_have_attribute("aria-invalid", "true")
    code.fill(app.code())
    page.get_by_role("button", name="Go on").click()
    signed_in(page, person)
    sign_out(page)
    sign_in(page, person)
    page.get_by_role("button", name="Use a recovery code instead").click()
    page.get_by_label("Recovery code").fill(codes[0])
    page.get_by_role("button", name="Go on").click()
    signed_in(page, person)
    open_account(page, "Sign-in and sessions")
    expect(page.get_by_text("9 left")).to_be_visible()


@pytest.mark.clause("ASVS 6.7.2", "P9")
def test_a_passkey_is_enough_by_itself(page: Page, person: Person) -> None:
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    sign_in(page, person)
    open_account(page, "Sign-in and sessions")
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_label("Name of the passkey").fill("this machine")
    page.get_by_role("button", name="Make the passkey").click()
    expect(page.get_by_test_id("passkey")).to_contain_text("this machine")
    expect(page.get_by_role("heading", name="Put these recovery codes away")).to_be_visible()
    sign_out(page)
    page.get_by_role("button", name="Sign in with a passkey").click()
    signed_in(page, person)
    open_account(page, "Sign-in and sessions")
    page.get_by_role("button", name="Rename this machine").click()
    page.get_by_label("Name of the passkey").fill("the grey one")
    page.get_by_role("button", name="Rename", exact=True).click()
    expect(page.get_by_test_id("passkey")).to_contain_text("the grey one")
    page.get_by_role("button", name="Remove password").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove password").click()
    expect(page.get_by_text("This account has no password: you sign in with your passkeys.")).to_be_visible()
