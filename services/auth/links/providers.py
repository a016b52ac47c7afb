"""Owns the shape of the third parties in the configuration. Customers choose among them; they never name a host.

Everything is reached over verified TLS at addresses that stand here. Nothing is discovered and no redirect is followed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from services.auth.links.purpose import Offer, Purpose, require_name
from services.auth.mail import LOCALES

MAX_SECONDS = 10.0


class Flow(StrEnum):
    """How a third party is linked."""

    PASSWORD = "password"  # noqa: S105 - the name of the flow
    REDIRECT = "redirect"


class ImapSecurity(StrEnum):
    """How the connection to an IMAP server is protected."""

    TLS = "tls"
    STARTTLS = "starttls"


@dataclass(frozen=True)
class OidcConfig:
    """OpenID Connect: the code flow with PKCE. ``scopes`` begin with ``openid``."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    client_id: str
    client_secret_file: Path | None = None
    """None: a public client."""
    revocation_endpoint: str | None = None
    """RFC 7009. None: the third party cannot revoke, and customers should be told so in the purpose."""
    scopes: tuple[str, ...] = ("openid",)

    def __post_init__(self) -> None:
        _require_https(self.issuer, self.authorization_endpoint, self.token_endpoint, self.jwks_uri)
        _require_https(self.revocation_endpoint)
        if "openid" not in self.scopes:
            raise ValueError("scopes lack openid")


@dataclass(frozen=True)
class PasswordGrantConfig:
    """OAuth 2.0: the password grant (RFC 6749 section 4.3), for third parties that have nothing better."""

    token_endpoint: str
    client_id: str
    client_secret_file: Path | None = None
    """None: a public client."""
    revocation_endpoint: str | None = None
    """RFC 7009. None: the third party cannot revoke, and customers should be told so in the purpose."""
    scopes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _require_https(self.token_endpoint, self.revocation_endpoint)


@dataclass(frozen=True)
class ImapConfig:
    """IMAP: the mailbox is shown to be the customer's, once. There is no token to keep, so nothing can use it later."""

    host: str
    port: int = 993
    security: ImapSecurity = ImapSecurity.TLS


@dataclass(frozen=True)
class WebdavConfig:
    """WebDAV: a password that a token is made of where the server can (Nextcloud), else shown to be right, once."""

    url: str
    """A folder every customer may ask for the properties of."""
    app_password_url: str | None = None
    """Nextcloud's OCS ``getapppassword``: returns a token."""
    app_password_revoke_url: str | None = None
    """Nextcloud's OCS ``apppassword``: deletes the token it is asked with."""

    def __post_init__(self) -> None:
        _require_https(self.url, self.app_password_url, self.app_password_revoke_url)
        if self.app_password_revoke_url is not None and self.app_password_url is None:
            raise ValueError("app_password_revoke_url is of no use without app_password_url")


@dataclass(frozen=True)
class Provider:
    """A third party: exactly one of ``oidc``, ``oauth2_password``, ``imap`` and ``webdav`` says how it is reached."""

    id: str
    name: str
    """For people."""
    roles: tuple[str, ...]
    """The internal services that may use the token."""
    purpose: Purpose
    oidc: OidcConfig | None = None
    oauth2_password: PasswordGrantConfig | None = None
    imap: ImapConfig | None = None
    webdav: WebdavConfig | None = None
    ca_file: Path | None = None
    """Trusted instead of the system's authorities."""
    timeout_seconds: float = MAX_SECONDS
    """The longest one call may take."""

    def __post_init__(self) -> None:
        for name in (self.id, *self.roles):
            require_name(name)
        if sum(kind is not None for kind in (self.oidc, self.oauth2_password, self.imap, self.webdav)) != 1:
            raise ValueError("a provider is one of oidc, oauth2_password, imap and webdav")
        if not self.name.strip() or not self.name.isprintable():
            raise ValueError("a provider has a name")
        if not 0 < self.timeout_seconds <= MAX_SECONDS:
            raise ValueError("timeout_seconds is at most 10")
        if set(self.purpose.texts) != set(LOCALES):
            raise ValueError(f"a purpose is told in {', '.join(LOCALES)}")

    @property
    def flow(self) -> Flow:
        """How it is linked."""
        return Flow.PASSWORD if self.oidc is None else Flow.REDIRECT

    def offer(self, locale: str) -> Offer:
        """Return what a customer is shown.

        Raises:
            KeyError: There are no words in this language.
        """
        purpose = self.purpose
        roles = tuple(sorted(self.roles))
        return Offer(self.id, purpose.id, purpose.version, locale, roles, purpose.texts[locale])


@dataclass(frozen=True)
class LinksConfig:
    """The third parties that customers may link. None by default."""

    providers: tuple[Provider, ...] = ()

    def __post_init__(self) -> None:
        if len({provider.id for provider in self.providers}) != len(self.providers):
            raise ValueError("two providers have one id")


def _require_https(*urls: str | None) -> None:
    for url in urls:
        if url is None:
            continue
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname or parts.username is not None or parts.fragment:
            raise ValueError("a provider is reached at https addresses only")
