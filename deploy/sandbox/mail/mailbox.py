"""Owns the kept mails: one file each, in a folder only its owner can read. Keeps the newest few hundred."""

from __future__ import annotations

import email
import os
import re
import secrets
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from services.kit.clock import Clock

KEEP = 500
_NAME = re.compile(r"[0-9]{16}-[0-9a-f]{8}")


@dataclass(frozen=True)
class Mail:
    """One mail as a person would read it."""

    name: str
    recipient: str
    subject: str
    received: float
    text: str
    html: str


class Mailbox:
    """The folder of mails."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        """Make the folder if it is missing."""
        self._folder, self._clock = folder, clock
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def keep(self, recipient: str, content: bytes) -> str:
        """Keep a mail, durably; returns its name."""
        name = f"{int(self._clock.now().timestamp() * 1e6):016d}-{secrets.token_hex(4)}"
        part = self._folder / f".{name}"
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(b"X-Valv-Recipient: " + recipient.encode("ascii", "replace") + b"\r\n" + content)
            file.flush()
            os.fsync(file.fileno())
        part.rename(self._folder / f"{name}.eml")
        for old in self._names()[KEEP:]:
            (self._folder / f"{old}.eml").unlink(missing_ok=True)
        return name

    def newest(self, count: int = 100) -> list[Mail]:
        """Return the newest mails, newest first."""
        return [mail for name in self._names()[:count] if (mail := self.get(name)) is not None]

    def get(self, name: str) -> Mail | None:
        """Return one mail; None when there is none of that name."""
        path = self._folder / f"{name}.eml"
        if not _NAME.fullmatch(name) or not path.exists():
            return None
        message = email.message_from_bytes(path.read_bytes(), policy=default)
        received = int(name.partition("-")[0]) / 1e6
        recipient, subject = str(message["X-Valv-Recipient"]), str(message["Subject"] or "")
        return Mail(name, recipient, subject, received, _body(message, "plain"), _body(message, "html"))

    def _names(self) -> list[str]:
        return sorted((path.stem for path in self._folder.glob("*.eml")), reverse=True)


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return "" if part is None else str(part.get_content())
