"""Owns how the third parties of the configuration are put together; reads their secrets, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.auth.links.connectors import Party
from services.auth.links.https import Https, client_context
from services.auth.links.id_token import IdTokens
from services.auth.links.imap import ImapConnector
from services.auth.links.oauth import Client, CodeFlow, PasswordGrant, Tokens
from services.auth.links.webdav import WebdavConnector
from services.kit.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from services.auth.links.providers import LinksConfig, OidcConfig, PasswordGrantConfig, Provider
    from services.kit.clock import Clock

CALLBACK = "/links/callback"
"""Where people come back: a page of the web client, which calls CompleteLink."""


def parties(config: LinksConfig, public_url: str, clock: Clock) -> Mapping[str, Party]:
    """Return the third parties by id, in the order of the configuration.

    Raises:
        OSError: A secret or a bundle of authorities cannot be read.
    """
    return {provider.id: _party(provider, public_url, clock) for provider in config.providers}


def _party(provider: Provider, public_url: str, clock: Clock) -> Party:
    tls = client_context(provider.ca_file)
    https = Https(tls, provider.timeout_seconds)
    if provider.oidc is not None:
        oidc = provider.oidc
        client = _client(oidc, https, clock)
        tokens = Tokens(client, oidc.token_endpoint, oidc.revocation_endpoint)
        flow = CodeFlow(oidc, client, IdTokens(oidc, https, clock), tokens, public_url + CALLBACK)
        return Party(provider, redirect=flow, tokens=tokens, revokes=oidc.revocation_endpoint is not None)
    if provider.oauth2_password is not None:
        grant = provider.oauth2_password
        client = _client(grant, https, clock)
        tokens = Tokens(client, grant.token_endpoint, grant.revocation_endpoint)
        revokes = grant.revocation_endpoint is not None
        return Party(provider, password=PasswordGrant(grant, client), tokens=tokens, revokes=revokes)
    if provider.webdav is not None:
        webdav = WebdavConnector(provider.webdav, https)
        revokes = provider.webdav.app_password_revoke_url is not None
        return Party(provider, password=webdav, tokens=webdav, revokes=revokes)
    if provider.imap is not None:
        return Party(provider, password=ImapConnector(provider.imap, tls, provider.timeout_seconds))
    raise AssertionError


def _client(config: OidcConfig | PasswordGrantConfig, https: Https, clock: Clock) -> Client:
    return Client(https, clock, config.client_id, _secret(config.client_secret_file))


def _secret(file: Path | None) -> Secret | None:
    return None if file is None else Secret(file.read_text("utf-8").strip())
