"""Owns the parsing of e-mail addresses and their lookup form. The lookup form is frozen: accounts are found by it.

Lookup form v1: the local part in NFC with the letters A-Z lowered and nothing else changed, "@", the domain as
lower-case ASCII (IDNA, UTS 46). Other letters keep their case, so that the form does not move with the version of the
Unicode tables and two mailboxes never become one.
"""

from __future__ import annotations

import string
from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email

from services.auth.errors import EMAIL_NOT_VALID
from services.kit.faults import Fault

_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


@dataclass(frozen=True)
class EmailAddress:
    """A valid address."""

    display: str
    """As the person wrote it, in NFC, the domain lower-case and in Unicode."""
    mailbox: str
    """What mail is sent to: the domain in ASCII."""
    lookup: str
    """What accounts are found by."""


def parse(text: str) -> EmailAddress:
    """Parse an address; nothing is asked of the network.

    Raises:
        Fault: EMAIL_NOT_VALID.
    """
    try:
        found = validate_email(text, check_deliverability=False, strict=True)
    except EmailNotValidError:
        raise Fault(EMAIL_NOT_VALID, field="email") from None
    mailbox = f"{found.local_part}@{found.ascii_domain}"
    return EmailAddress(display=found.normalized, mailbox=mailbox, lookup=mailbox.translate(_LOWER))
