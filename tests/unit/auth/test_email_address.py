"""Addresses and their lookup form, which is frozen: a vector that changes loses somebody their account."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.auth.email_address import parse
from services.auth.errors import EMAIL_NOT_VALID
from services.kit.faults import Fault

VECTORS = {
    "anna@example.com": "anna@example.com",
    "Anna.Svensson+Valv@Example.COM": "anna.svensson+valv@example.com",
    "ÅSA@example.com": "Åsa@example.com",
    "A\u030asa@example.com": "Åsa@example.com",
    "åsa@example.com": "åsa@example.com",
    "anna@RÄKSMÖRGÅS.se": "anna@xn--rksmrgs-5wao1o.se",
    "anna@xn--rksmrgs-5wao1o.se": "anna@xn--rksmrgs-5wao1o.se",
    "STRASSE@example.com": "strasse@example.com",
    "straße@example.com": "straße@example.com",
    "\u0130@example.com": "\u0130@example.com",
    "\u0131@example.com": "\u0131@example.com",
}


@pytest.mark.parametrize("text, lookup", VECTORS.items())
def test_the_lookup_form_is_frozen(text: str, lookup: str) -> None:
    assert parse(text).lookup == lookup


@pytest.mark.parametrize(
    "text",
    ["", "anna", "@example.com", "anna@", "anna@localhost", "a b@example.com", "anna@exa mple.com", "a" * 65 + "@x.se",
     "anna@[192.0.2.1]", '"a b"@example.com', "Anna <anna@example.com>", "anna@example.com\r\nBcc: x@y.se", "a@b@c.se",
     "anna@example.com,bo@example.com", "a\x00@example.com", "x" * 10000],
)  # fmt: skip
def test_what_is_no_address_is_refused_without_an_echo(text: str) -> None:
    with pytest.raises(Fault) as refused:
        parse(text)
    assert (refused.value.reason, refused.value.field) == (EMAIL_NOT_VALID, "email")
    assert not text or text not in str(refused.value)
    assert refused.value.__suppress_context__


def test_mail_goes_to_the_domain_in_ascii() -> None:
    assert parse("Anna@räksmörgås.se").mailbox == "Anna@xn--rksmrgs-5wao1o.se"


@given(st.emails())
def test_case_and_composition_of_ascii_do_not_matter(text: str) -> None:
    try:
        found = parse(text)
    except Fault:
        return
    assert parse(found.display).lookup == found.lookup
    assert parse(text.upper()).lookup == found.lookup
    assert unicodedata.is_normalized("NFC", found.lookup)
