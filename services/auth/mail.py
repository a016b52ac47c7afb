"""Owns the words of the mails auth sends, in text and HTML, and how one is put together. Must never see a password."""

from __future__ import annotations

import html
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from string import Template
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

LOCALES = ("en", "sv")
CONFIRM = "confirm"
SIGN_UP_ATTEMPT = "sign_up_attempt"
NEW_DEVICE = "new_device"
FACTOR_ADDED = "factor_added"
FACTOR_REMOVED = "factor_removed"
RECOVERY_CODE_USED = "recovery_code_used"
RECOVERY_CODES_LOW = "recovery_codes_low"
RECOVERY_CODES_RENEWED = "recovery_codes_renewed"
PASSWORD_REMOVED = "password_removed"  # noqa: S105 - the name of a template
RECOVER = "recover"
PASSWORD_CHANGED, PASSWORD_RESET = "password_changed", "password_reset"
EMAIL_CHANGE, EMAIL_CHANGE_NOTICE, EMAIL_TAKEN = "email_change", "email_change_notice", "email_taken"
EMAIL_CHANGED, EMAIL_CHANGED_OLD = "email_changed", "email_changed_old"
ERASURE_REQUESTED = "erasure_requested"
ERASURE_DONE = "erasure_done"
ACCOUNT_DISABLED = "account_disabled"
TEMPLATES = (
    CONFIRM,
    SIGN_UP_ATTEMPT,
    NEW_DEVICE,
    FACTOR_ADDED,
    FACTOR_REMOVED,
    RECOVERY_CODE_USED,
    RECOVERY_CODES_LOW,
    RECOVERY_CODES_RENEWED,
    PASSWORD_REMOVED,
    RECOVER,
    PASSWORD_CHANGED,
    PASSWORD_RESET,
    EMAIL_CHANGE,
    EMAIL_CHANGE_NOTICE,
    EMAIL_TAKEN,
    EMAIL_CHANGED,
    EMAIL_CHANGED_OLD,
    ERASURE_REQUESTED,
    ERASURE_DONE,
    ACCOUNT_DISABLED,
)

Enclosure = tuple[str, bytes]
"""A file that comes with a mail: its name and its bytes, which are text."""


@dataclass(frozen=True)
class Outgoing:
    """A mail in the queue: whose, which and about what. Addresses, words and tokens come in when it is sent."""

    mail_id: str
    account_id: str
    template: str
    reference: str
    due: datetime
    attempts: int = 0


class Letters:
    """The templates: ``<locale>/<template>.txt`` (subject, empty line, text) and ``.html``."""

    def __init__(self, folder: Path, sender: Address) -> None:
        """Read all templates.

        Raises:
            OSError: One is missing.
        """
        self._sender = sender
        self._texts: dict[tuple[str, str], tuple[str, Template, Template]] = {}
        for locale in LOCALES:
            for name in TEMPLATES:
                subject, _, text = (folder / locale / f"{name}.txt").read_text("utf-8").partition("\n\n")
                markup = (folder / locale / f"{name}.html").read_text("utf-8")
                self._texts[locale, name] = subject.strip(), Template(text), Template(markup)

    def write(
        self,
        mail: Outgoing,
        locale: str,
        recipient: str,
        values: Mapping[str, str],
        now: datetime,
        enclosures: Sequence[Enclosure] = (),
    ) -> EmailMessage:
        """Put a mail together.

        Args:
            mail: Which one.
            locale: The recipient's language.
            recipient: Their mailbox.
            values: What the template names; escaped where it needs to be.
            now: The date of the mail.
            enclosures: Files that come with it.
        """
        subject, text, markup = self._texts[locale, mail.template]
        local, _, domain = recipient.rpartition("@")
        message = EmailMessage(policy=SMTP if recipient.isascii() else SMTPUTF8)
        message["From"] = self._sender
        message["To"] = Address(username=local, domain=domain)
        message["Subject"] = subject
        message["Date"] = format_datetime(now)
        message["Message-ID"] = f"<{mail.mail_id}.{mail.attempts}@{self._sender.domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text.substitute(values))
        message.add_alternative(
            markup.substitute({name: html.escape(value) for name, value in values.items()}), subtype="html"
        )
        for name, data in enclosures:
            message.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
        return message
