"""Auth with third parties to link to: their configuration, a signed-in person, the internal service that uses links."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc

from tests.integration.auth_stage import PASSWORD, Edge, Mailbox, Stage, edge, mail_server
from tests.support.canaries import Canary
from tests.support.pki import Pki
from tests.support.third_parties import oauth, webdav
from tests.support.third_parties.serving import ThirdParty, made
from valv.audit.v1 import event_pb2
from valv.auth.v1 import account_pb2, link_pb2, link_pb2_grpc

CALLBACK = "https://localhost:8443/links/callback"
SECRET = Canary("third-party password", "correct-Horse/battery+Staple~0147")
"""What a person types for a third party; never their password here."""


def words(version: str = "2026-11", roles: str = '"shop"') -> str:
    """Return the part of a provider's configuration that people read."""
    text = 'used_for = "{}", kept = "{}", kept_for = "{}"'
    english = text.format("We read your invoices.", "A token, sealed.", "Until you end the link.")
    swedish = text.format("Vi läser dina fakturor.", "En förseglad nyckel.", "Tills du avslutar länken.")
    return f"""
        roles = [{roles}]
        purpose = {{ id = "invoices", version = "{version}", texts = {{ en = {{ {english} }}, sv = {{ {swedish} }} }} }}
    """


def provider(name: str, kind: str, party: ThirdParty, settings: Mapping[str, object], more: str = "") -> str:
    """Return one provider's configuration."""
    lines = "\n".join(f"{key} = {_toml(value)}" for key, value in settings.items())
    return f"""
        [[links.providers]]
        id = "{name}"
        name = "The {name} of a test"
        ca_file = "{party.ca_file}"
        {more or words()}
        [links.providers.{kind}]
        {lines}
    """


def oidc(party: ThirdParty, more: str = "") -> str:
    """Return the configuration of the OAuth server as an OpenID provider."""
    urls = {name: party.url + path for name, path in oauth.ENDPOINTS.items()}
    settings = {
        "issuer": f"{party.url}/o",
        **urls,
        "client_id": oauth.CODE_CLIENT,
        "client_secret_file": str(party.folder / "client-secret"),
        "scopes": ["openid", "read"],
    }
    return provider("identity", "oidc", party, settings, more)


def password_grant(party: ThirdParty, more: str = "") -> str:
    """Return the configuration of the OAuth server for the password grant."""
    settings = {
        "token_endpoint": party.url + oauth.ENDPOINTS["token_endpoint"],
        "revocation_endpoint": party.url + oauth.ENDPOINTS["revocation_endpoint"],
        "client_id": oauth.PASSWORD_CLIENT,
        "client_secret_file": str(party.folder / "client-secret"),
        "scopes": ["read"],
    }
    return provider("grant", "oauth2_password", party, settings, more)


def dav(party: ThirdParty, *, tokens: bool, more: str = "") -> str:
    """Return the configuration of the WebDAV server, with app passwords or without."""
    settings: dict[str, object] = {"url": party.url + webdav.ROOT}
    if tokens:
        settings |= {
            "app_password_url": party.url + webdav.MAKE,
            "app_password_revoke_url": party.url + webdav.DELETE,
        }
    return provider("files", "webdav", party, settings, more)


def mail(party: ThirdParty, security: str, more: str = "") -> str:
    """Return the configuration of the IMAP server."""
    return provider("mail", "imap", party, {"host": "localhost", "port": party.port, "security": security}, more)


class Person:
    """Somebody signed in, and what they ask of their links."""

    def __init__(self, browser: Edge, envoy: grpc.aio.Channel, token: str) -> None:
        self.browser, self.envoy, self.token = browser, envoy, token
        self.links: Any = link_pb2_grpc.LinkServiceStub(envoy)

    async def ask(self, method: str, **fields: object) -> Any:
        """Call a method of LinkService."""
        message = getattr(link_pb2, f"{method}Request")(**fields)
        metadata = self.browser.with_((await self.browser.renew(self.token)).assertion)
        return await getattr(self.links, method)(message, metadata=metadata, timeout=20)

    async def account(self) -> str:
        """Return their account's id."""
        metadata = self.browser.with_((await self.browser.renew(self.token)).assertion)
        reply = await self.browser.accounts.GetSession(account_pb2.GetSessionRequest(), metadata=metadata, timeout=20)
        return str(reply.session.account_id)

    async def consented(self, name: str, locale: str = "en") -> Any:
        """Begin, and consent to what is shown; returns the link's id and where to go."""
        begun = await self.ask("BeginLink", provider=name, locale=locale)
        purpose = begun.purpose
        agreed = await self.ask("ConsentToLink", link_id=begun.link_id, version=purpose.version, digest=purpose.digest)
        return begun.link_id, agreed.authorization_url

    async def connect(self, link_id: str, password: str = SECRET.text, username: str = "anna") -> Any:
        """Type the third party's password."""
        return await self.ask("ConnectLink", link_id=link_id, username=username, password=password)


@asynccontextmanager
async def serving(folder: Path, providers: str) -> AsyncIterator[tuple[Stage, Mailbox]]:
    """Auth, with these third parties to link to, and a mail server."""
    mailbox = Mailbox()
    async with mail_server(mailbox) as port:
        stage = Stage(folder / "auth", Pki(folder / "pki"), port, extra=providers)
        await stage.start()
        try:
            yield stage, mailbox
        finally:
            await stage.stop()


@asynccontextmanager
async def person(stage: Stage, mailbox: Mailbox, email: str = "anna@example.com") -> AsyncIterator[Person]:
    """Sign somebody up and in."""
    async with edge(stage) as browser, stage.channel("envoy") as envoy:
        await browser.sign_up(email)
        await browser.confirm(await mailbox.token(email))
        yield Person(browser, envoy, await browser.sign_in(email, PASSWORD))


async def use(stage: Stage, account_id: str, name: str, purpose: str = "invoices") -> link_pb2.GetTokenResponse:
    """Ask for a token as the internal service."""
    async with stage.channel("shop") as channel:
        stub: Any = link_pb2_grpc.LinkTokenServiceStub(channel)
        request = link_pb2.GetTokenRequest(account_id=account_id, provider=name, purpose=purpose)
        return await stub.GetToken(request, timeout=20)  # type: ignore[no-any-return]  # the stub is untyped


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is true."""
    for _ in range(300):
        if true():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("it does not happen")


def certificates_of_another(folder: Path) -> Path:
    """Return an authority that the third party's certificate is not from."""
    return made(folder).ca_file


def events(stage: Stage, action: str) -> list[event_pb2.Event]:
    """Return what was recorded under an action, oldest first."""
    with sqlite3.connect(stage.folder / "auth.db") as database:
        rows = database.execute("SELECT event FROM outbox ORDER BY id").fetchall()
    found = [event_pb2.Event.FromString(row[0]) for row in rows]
    return [event for event in found if event.action == action]


def rows(stage: Stage, query: str) -> list[tuple[object, ...]]:
    """Return what the main database answers."""
    with sqlite3.connect(stage.folder / "auth.db") as database:
        return database.execute(query).fetchall()


def _toml(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)
