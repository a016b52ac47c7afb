"""The words: every template in every language, whole, escaped, and to one recipient."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.headerregistry import Address

import pytest

from services.auth.mail import CONFIRM, LOCALES, SIGN_UP_ATTEMPT, TEMPLATES, Letters, Outgoing
from tests.support.clock import START
from tests.unit.auth.world import TEMPLATES as FOLDER

LETTERS = Letters(FOLDER, Address("Valv", addr_spec="valv@valv.example"))
VALUES = {
    "email": "anna@example.com",
    "url": "https://valv.example",
    "link": "https://valv.example/confirm#token=x",
    "time": "2026-11-22 12:00 UTC",
    "device": "Firefox, Linux",
    "place": "the network 192.0.0.0/16",
    "old": "anna@example.com",
    "new": "anna@example.net",
    "due": "2026-11-29 12:00 UTC",
    "kept": "nothing",
    "why": "you asked for it",
}


def mail(template: str = CONFIRM) -> Outgoing:
    return Outgoing("mai_01jd9xk8w0q2m3n4p5r6s7t8v9", "usr_01jd9xk8w0q2m3n4p5r6s7t8v9", template, "", START)


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_is_whole_in_every_language(locale: str, template: str) -> None:
    message = LETTERS.write(mail(template), locale, "anna@example.com", VALUES, START)
    read = message_from_bytes(message.as_bytes(), policy=policy.default)
    plain, marked = read.get_body(("plain",)), read.get_body(("html",))
    assert plain is not None
    assert marked is not None
    assert read["Subject"]
    for text in (plain.get_content(), marked.get_content()):
        assert "$" not in text
        assert VALUES["url"] in text
    words = re.sub(r"<[^>]+>", "", marked.get_content().partition("<body>")[2])
    assert words.split() == plain.get_content().split()
    assert f'lang="{locale}"' in marked.get_content()


def test_values_are_escaped_in_html_and_not_in_text() -> None:
    values = {**VALUES, "email": "a&b<i>'\"@example.com"}
    message = LETTERS.write(mail(SIGN_UP_ATTEMPT), "en", "anna@example.com", values, START)
    plain, marked = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert marked is not None
    assert values["email"] in plain.get_content()
    assert "a&amp;b&lt;i&gt;&#x27;&quot;@example.com" in marked.get_content()


def test_an_address_with_other_letters_is_written_as_it_is() -> None:
    message = LETTERS.write(mail(), "sv", "åsa@xn--rksmrgs-5wao1o.se", VALUES, START)
    assert "To: åsa@xn--rksmrgs-5wao1o.se".encode() in message.as_bytes()
    assert message["Date"] == "Sun, 22 Nov 2026 12:00:00 +0000"
