"""Owns the talk with the mail server. Must never send in clear but to this machine in the development profile."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import aiosmtplib

from services.auth.courier import Undelivered
from services.kit.config import Profile
from services.kit.secret import Secret

if TYPE_CHECKING:
    from email.message import EmailMessage

_PERMANENT = 500


class Security(StrEnum):
    """How the connection is protected."""

    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"


@dataclass(frozen=True)
class SmtpConfig:
    """The mail server."""

    host: str
    port: int
    sender: str
    """The address mails come from."""
    sender_name: str = "Valv"
    security: Security = Security.STARTTLS
    username: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    """Trusted instead of the system's authorities."""
    timeout_seconds: float = 20.0

    def require_safe(self, profile: Profile) -> None:
        """Check that mails are not sent in clear.

        Raises:
            ValueError: They would be, beyond this machine or the development profile.
        """
        if self.security is Security.NONE and not (profile is Profile.DEVELOPMENT and _is_loopback(self.host)):
            raise ValueError("mail.security = none is for the development profile and a loopback address only")


class Smtp:
    """Hands mails to one server, one connection each."""

    def __init__(self, config: SmtpConfig) -> None:
        """Take where the server is; reads the password file."""
        self._config = config
        self._password = Secret(config.password_file.read_text("utf-8").strip()) if config.password_file else None
        self._context = ssl.create_default_context(cafile=config.ca_file)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2

    async def deliver(self, message: EmailMessage) -> None:
        """Hand over a mail.

        Raises:
            Undelivered: The server did not take it.
        """
        config = self._config
        encrypted = config.security is not Security.NONE
        try:
            await aiosmtplib.send(
                message,
                hostname=config.host,
                port=config.port,
                username=config.username,
                password=self._password.text() if self._password else None,
                use_tls=config.security is Security.TLS,
                start_tls=config.security is Security.STARTTLS,
                tls_context=self._context if encrypted else None,
                timeout=config.timeout_seconds,
            )
        except (aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPNotSupported) as error:
            raise Undelivered(for_good=_for_good(error)) from None
        except (aiosmtplib.SMTPException, OSError, ValueError):
            raise Undelivered(for_good=False) from None


def _for_good(error: Exception) -> bool:
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return all(refused.code >= _PERMANENT for refused in error.recipients)
    return True


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
