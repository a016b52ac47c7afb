"""Owns the talk of OAuth 2.0: the code flow with PKCE, the password grant, renewal and revocation.

Requests are put together by authlib, sent by ``https`` and read here. Must never send a password but to the token
endpoint of the configuration.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7009 import prepare_revoke_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from services.auth.links.connectors import Away, Refused, Untrusted
from services.auth.links.grants import Grant
from services.kit.secret import Secret

if TYPE_CHECKING:
    from services.auth.links.grants import Pending
    from services.auth.links.https import Https
    from services.auth.links.id_token import IdTokens
    from services.auth.links.providers import OidcConfig, PasswordGrantConfig
    from services.kit.clock import Clock

_FORM = "application/x-www-form-urlencoded;charset=UTF-8"
_SOONEST, _LATEST = 0, 10 * 365 * 86400


@dataclass(frozen=True)
class Client:
    """Who Valv is at the third party, and how it is asked there."""

    https: Https
    clock: Clock
    client_id: str
    secret: Secret | None
    """None: a public client."""

    async def token(self, endpoint: str, grant_type: str, fields: dict[str, str]) -> dict[str, Any]:
        """Ask for a token.

        Raises:
            Refused: The third party does not accept the password, code or refresh token.
            Away: It did not answer as a token endpoint does.
            Untrusted: Its certificate is not right; nothing was sent.
        """
        status, found = await self._post(endpoint, prepare_token_request(grant_type, "", **fields))
        if status == HTTPStatus.BAD_REQUEST and found.get("error") == "invalid_grant":
            raise Refused
        if status != HTTPStatus.OK or "error" in found:
            raise Away
        return found

    async def revoke(self, endpoint: str, token: Secret, hint: str) -> None:
        """Revoke a token (RFC 7009); one that is not known counts as revoked.

        Raises:
            Away: The third party did not answer that it has.
            Untrusted: Its certificate is not right; nothing was sent.
        """
        body, headers = prepare_revoke_token_request(token.text(), hint, headers={})
        answer = await self._send(endpoint, body, headers)
        if answer[0] != HTTPStatus.OK:
            raise Away

    def granted(self, found: dict[str, Any], subject: str, issuer: str = "") -> Grant:
        """Return the grant of a token endpoint's answer.

        Raises:
            Away: There is no bearer token in it.
        """
        token, refresh, kind = found.get("access_token"), found.get("refresh_token"), found.get("token_type")
        if not isinstance(token, str) or not token or not isinstance(kind, str) or kind.lower() != "bearer":
            raise Away
        seconds = found.get("expires_in")
        lives = isinstance(seconds, int | float) and _SOONEST <= seconds <= _LATEST
        return Grant(
            subject=subject,
            issuer=issuer,
            token=Secret(token),
            scheme="Bearer",
            refresh=Secret(refresh) if isinstance(refresh, str) and refresh else None,
            expires=self.clock.now() + timedelta(seconds=seconds) if lives else None,  # type: ignore[arg-type]  # a number
        )

    async def _post(self, endpoint: str, body: str) -> tuple[int, dict[str, Any]]:
        status, answer = await self._send(endpoint, body, {"accept": "application/json"})
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Away
        return status, answer.object()

    async def _send(self, endpoint: str, body: str, headers: dict[str, str]) -> tuple[int, Any]:
        method = "none" if self.secret is None else "client_secret_basic"
        secret = "" if self.secret is None else self.secret.text()
        headers = {**headers, "content-type": _FORM}
        _, headers, body = ClientAuth(self.client_id, secret, method).prepare("POST", endpoint, headers, body)
        answer = await self.https.ask("POST", endpoint, headers, body.encode())
        return answer.status, answer


class Tokens:
    """Renews and revokes the tokens of one third party."""

    def __init__(self, client: Client, token_endpoint: str, revocation_endpoint: str | None) -> None:
        """Take the client and the endpoints."""
        self._client, self._token_endpoint, self._revocation_endpoint = client, token_endpoint, revocation_endpoint

    async def renew(self, grant: Grant) -> Grant:
        """Exchange the refresh token.

        Raises:
            Refused: There is none, or it is not accepted any more.
            Away: The third party did not answer.
            Untrusted: Its certificate is not right.
        """
        if grant.refresh is None:
            raise Refused
        found = await self._client.token(self._token_endpoint, "refresh_token", {"refresh_token": grant.refresh.text()})
        found.setdefault("refresh_token", grant.refresh.text())
        return self._client.granted(found, grant.subject, grant.issuer)

    async def revoke(self, grant: Grant) -> None:
        """Revoke the refresh token, which ends the tokens made of it (RFC 7009 section 2.1), and the token itself.

        Raises:
            Away: The third party did not answer.
            Untrusted: Its certificate is not right.
        """
        if self._revocation_endpoint is None or grant.token is None:
            raise Away
        if grant.refresh is not None:
            await self._client.revoke(self._revocation_endpoint, grant.refresh, "refresh_token")
        await self._client.revoke(self._revocation_endpoint, grant.token, "access_token")


class PasswordGrant:
    """The password grant at one third party."""

    def __init__(self, config: PasswordGrantConfig, client: Client) -> None:
        """Take the third party and who Valv is there."""
        self._config, self._client = config, client

    async def connect(self, username: str, password: Secret) -> Grant:
        """Exchange a password for a token.

        Raises:
            Refused: It is not accepted.
            Away: The third party did not answer as a token endpoint does.
            Untrusted: Its certificate is not right; nothing was sent.
        """
        fields = {"username": username, "password": password.text()}
        if self._config.scopes:
            fields["scope"] = " ".join(self._config.scopes)
        found = await self._client.token(self._config.token_endpoint, "password", fields)
        return self._client.granted(found, username)


class CodeFlow:
    """OpenID Connect's code flow at one third party."""

    def __init__(
        self, config: OidcConfig, client: Client, id_tokens: IdTokens, tokens: Tokens, redirect_uri: str
    ) -> None:
        """Take the third party, who Valv is there, what verifies and revokes its tokens, and where people come back."""
        self._config, self._client, self._redirect_uri = config, client, redirect_uri
        self._id_tokens, self._tokens = id_tokens, tokens

    def address(self, state: str, pending: Pending) -> str:
        """Return where to send the person."""
        address: str = prepare_grant_uri(
            self._config.authorization_endpoint,
            client_id=self._client.client_id,
            response_type="code",
            redirect_uri=self._redirect_uri,
            scope=" ".join(self._config.scopes),
            state=state,
            nonce=pending.nonce,
            code_challenge=create_s256_code_challenge(pending.verifier.text()),
            code_challenge_method="S256",
        )
        return address

    async def complete(self, code: str, pending: Pending) -> Grant:
        """Exchange a code, and verify who the third party says it is about.

        Raises:
            Refused: The code is not accepted, or the identity token is not right.
            Away: The third party did not answer.
            Untrusted: Its certificate is not right; nothing was sent.
        """
        fields = {"code": code, "redirect_uri": self._redirect_uri, "code_verifier": pending.verifier.text()}
        found = await self._client.token(self._config.token_endpoint, "authorization_code", fields)
        grant = self._client.granted(found, "", self._config.issuer)
        try:
            subject = await self._id_tokens.subject(found.get("id_token"), pending.nonce)
        except (Refused, Away, Untrusted):
            with suppress(Away, Untrusted):  # asked once: what is nobody's is not kept, not even to be revoked
                await self._tokens.revoke(grant)
            raise
        return replace(grant, subject=subject)
