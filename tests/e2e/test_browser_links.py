"""Linking an account at another service, in a real browser and with real servers: what for, consent, and back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.integration import links_stage
from tests.support.browsing import visiting
from tests.support.live import Live
from tests.support.person import PASSWORD, Person, newcomer
from tests.support.third_parties import oauth, webdav
from tests.support.third_parties.serving import ThirdParty

PASSWORD_THERE = links_stage.SECRET.text


@pytest.fixture(scope="module")
def parties(live: Live, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, ThirdParty]]:
    """Two other services, which auth is told of for the time of these tests."""
    folder = tmp_path_factory.mktemp("parties")
    files = webdav.start(folder / "files", PASSWORD_THERE, "ocs")
    identity = oauth.start(folder / "identity", PASSWORD_THERE, f"{live.address}/links/callback")
    config = live.layout.configs / "auth.toml"
    before = config.read_text("utf-8")
    config.write_text(before + links_stage.dav(files, tokens=True) + links_stage.oidc(identity), "utf-8")
    try:
        _restart(live)
        yield {"files": files, "identity": identity}
    finally:
        config.write_text(before, "utf-8")
        _restart(live)
        files.stop()
        identity.stop()


def _restart(live: Live) -> None:
    live.terminate("auth")
    live.start_one("auth")


@pytest.fixture
def page(browser: Browser, live: Live, parties: dict[str, ThirdParty]) -> Iterator[Page]:
    """A browser in which somebody is signed in, at their linked accounts."""
    assert parties
    with visiting(browser, live, "sv-SE") as opened:
        _sign_in(opened, newcomer(live))
        yield opened


def _sign_in(page: Page, person: Person) -> None:
    page.goto("/account/links")
    page.get_by_label("E-post").fill(person.email)
    page.get_by_label("Lösenord", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Logga in", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="Länkade konton")).to_be_visible()


@pytest.mark.clause("P10")
def test_a_password_is_asked_for_after_consent_only_and_then_gone(page: Page, parties: dict[str, ThirdParty]) -> None:
    page.get_by_role("button", name="Länka The files of a test").click()
    step = page.get_by_test_id("link-consent")
    expect(step.get_by_text("Vi läser dina fakturor.")).to_be_visible()
    expect(step.get_by_text("Tills du avslutar länken.")).to_be_visible()
    expect(step.locator("input")).to_have_count(0)
    asked = len(parties["files"].requests())
    step.get_by_role("button", name="Jag godkänner").click()
    password = step.get_by_label("Lösenord hos The files of a test")
    step.get_by_label("Användarnamn hos The files of a test").fill(webdav.USER)
    assert len(parties["files"].requests()) == asked
    password.fill("not the password there")
    step.get_by_role("button", name="Länka kontot").click()
    expect(step.get_by_role("alert")).to_be_visible()
    expect(password).to_have_value("")
    password.fill(PASSWORD_THERE)
    step.get_by_role("button", name="Länka kontot").click()
    expect(page.get_by_test_id("link")).to_contain_text(webdav.USER)
    expect(step).to_have_count(0)
    page.get_by_role("button", name="Ta bort länken till The files of a test").click()
    page.get_by_role("dialog").get_by_role("button", name="Ta bort länken").click()
    expect(page.get_by_text("vår åtkomst där är avslutad")).to_be_visible()
    expect(page.get_by_test_id("link")).to_have_count(0)


@pytest.mark.clause("P10", "ASVS 10.2.1")
def test_a_person_goes_to_the_other_service_and_comes_back(page: Page, parties: dict[str, ThirdParty]) -> None:
    there = parties["identity"].url
    form: dict[str, str | float | bool] = {"username": oauth.USER, "password": PASSWORD_THERE}
    assert page.request.post(f"{there}/login", form=form, ignore_https_errors=True).status == 204
    page.get_by_role("button", name="Länka The identity of a test").click()
    page.get_by_test_id("link-consent").get_by_role("button", name="Jag godkänner").click()
    expect(page.get_by_text("The identity of a test är länkat.")).to_be_visible()
    assert "code" not in page.url
    page.get_by_role("link", name="Till dina länkade konton").click()
    expect(page.get_by_test_id("link")).to_contain_text("The identity of a test")


def test_no_is_an_answer(page: Page) -> None:
    page.get_by_role("button", name="Länka The files of a test").click()
    page.get_by_test_id("link-consent").get_by_role("button", name="Nej, låt bli").click()
    expect(page.get_by_test_id("link-consent")).to_have_count(0)
    expect(page.get_by_text("Inga länkade konton.")).to_be_visible()


def test_a_return_that_nobody_asked_for_links_nothing(page: Page) -> None:
    page.goto("/links/callback?state=made-up&code=made-up")
    expect(page.get_by_text("Återkomsten passar inte")).to_be_visible()
    assert "made-up" not in page.url
