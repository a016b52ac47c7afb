"""Owns the published test numbers: the only card numbers this gateway accepts.

They are Stripe's (https://docs.stripe.com/testing). One difference: the declining numbers marked `charge` can be
added here and are declined when charged, so that a decline can be seen end to end.

Must never let a number out of the `Entry` it came in: what leaves is brand, last four digits, expiry, fingerprint.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import date

from stdnum import luhn

from deploy.sandbox.psp import errors

CVC_LENGTH = {"amex": 4}


@dataclass(frozen=True)
class Published:
    """What a published number does. Codes are Stripe's; empty means success."""

    brand: str
    setup: str = ""
    charge: str = ""


NUMBERS = {
    "4242424242424242": Published("visa"),
    "4000056655665556": Published("visa"),
    "5555555555554444": Published("mastercard"),
    "5200828282828210": Published("mastercard"),
    "378282246310005": Published("amex"),
    "6011111111111117": Published("discover"),
    "4000000000000002": Published("visa", charge="generic_decline"),
    "4000000000000341": Published("visa", charge="generic_decline"),
    "4000000000009995": Published("visa", charge="insufficient_funds"),
    "4000000000009987": Published("visa", charge="lost_card"),
    "4000000000009979": Published("visa", charge="stolen_card"),
    "4000000000000069": Published("visa", setup="expired_card"),
    "4000000000000127": Published("visa", setup="incorrect_cvc"),
    "4000000000000119": Published("visa", setup="processing_error"),
}


@dataclass(frozen=True, repr=False)
class Entry:
    """What was typed into the card fields. Has no repr."""

    number: str
    exp_month: str
    exp_year: str
    cvc: str


@dataclass(frozen=True)
class Checked:
    """What is kept of a card, and how it will behave when charged."""

    brand: str
    last4: str
    exp_month: int
    exp_year: int
    fingerprint: str
    charge: str


def check(entry: Entry, today: date, fingerprint_key: bytes) -> Checked:
    """Accept a published number with a sound expiry and security code, or raise the card error a bank would."""
    number = entry.number.replace(" ", "")
    if not (number.isascii() and number.isdigit() and luhn.is_valid(number)):
        raise errors.card("incorrect_number")
    published = NUMBERS.get(number)
    if published is None:
        raise errors.card("card_declined", decline_code="test_mode_live_card")
    month, year = _expiry(entry, today)
    if not (entry.cvc.isascii() and entry.cvc.isdigit() and len(entry.cvc) == CVC_LENGTH.get(published.brand, 3)):
        raise errors.card("invalid_cvc")
    if published.setup:
        raise errors.card(published.setup)
    fingerprint = hmac.new(fingerprint_key, number.encode(), hashlib.sha256).hexdigest()[:32]
    return Checked(published.brand, number[-4:], month, year, fingerprint, published.charge)


def _expiry(entry: Entry, today: date) -> tuple[int, int]:
    if not (entry.exp_month.isdecimal() and 1 <= int(entry.exp_month) <= 12):  # noqa: PLR2004 - months of a year
        raise errors.card("invalid_expiry_month")
    if not (entry.exp_year.isdecimal() and len(entry.exp_year) in {2, 4}):
        raise errors.card("invalid_expiry_year")
    month = int(entry.exp_month)
    year = int(entry.exp_year) if len(entry.exp_year) == 4 else 2000 + int(entry.exp_year)  # noqa: PLR2004 - the number is the rule itself
    if not today.year <= year <= today.year + 50:
        raise errors.card("invalid_expiry_year")
    if (year, month) < (today.year, today.month):
        raise errors.card("expired_card")
    return month, year
