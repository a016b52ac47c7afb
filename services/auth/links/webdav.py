"""Owns linking a WebDAV server: the password is shown once, for a token where the server gives one (Nextcloud).

A server that gives none is only asked whether the password is right; nothing is kept but that it was, and when.
"""

from __future__ import annotations

import base64
from http import HTTPStatus
from typing import TYPE_CHECKING

from services.auth.links.connectors import Away, Refused
from services.auth.links.grants import Grant
from services.kit.secret import Secret

if TYPE_CHECKING:
    from services.auth.links.https import Https
    from services.auth.links.providers import WebdavConfig

_NO = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_PROPFIND = b'<?xml version="1.0"?><propfind xmlns="DAV:"><prop><resourcetype/></prop></propfind>'
_OCS = {"ocs-apirequest": "true"}


class WebdavConnector:
    """Asks one WebDAV server."""

    def __init__(self, config: WebdavConfig, https: Https) -> None:
        """Take the server and how it is asked."""
        self._config, self._https = config, https

    async def connect(self, username: str, password: Secret) -> Grant:
        """Show the password in one request.

        Raises:
            Refused: The server does not accept it.
            Away: It did not answer as such a server does.
            Untrusted: Its certificate is not right; nothing was sent.
        """
        if self._config.app_password_url is not None:
            return await self._app_password(self._config.app_password_url, username, password)
        headers = {"depth": "0", "content-type": "application/xml", "authorization": _basic(username, password)}
        answer = await self._https.ask("PROPFIND", self._config.url, headers, _PROPFIND)
        _require(answer.status, HTTPStatus.MULTI_STATUS)
        return Grant(subject=username)

    async def renew(self, grant: Grant) -> Grant:
        """Return the same: these tokens do not run out."""
        return grant

    async def revoke(self, grant: Grant) -> None:
        """Delete the token: it is what the request is signed in with.

        Raises:
            Away: The server did not answer.
            Untrusted: Its certificate is not right.
        """
        if grant.token is None or self._config.app_password_revoke_url is None:
            raise Away
        headers = {**_OCS, "authorization": _basic(grant.subject, grant.token)}
        answer = await self._https.ask("DELETE", self._config.app_password_revoke_url, headers)
        if answer.status not in (HTTPStatus.OK, *_NO):
            raise Away

    async def _app_password(self, url: str, username: str, password: Secret) -> Grant:
        answer = await self._https.ask("GET", url, {**_OCS, "authorization": _basic(username, password)})
        _require(answer.status, HTTPStatus.OK)
        found: object = answer.object()
        for name in ("ocs", "data", "apppassword"):
            found = found.get(name) if isinstance(found, dict) else None
        if not isinstance(found, str) or not found:
            raise Away
        return Grant(subject=username, token=Secret(found), scheme="Basic")


def _basic(username: str, password: Secret) -> str:
    """Return the credentials of RFC 7617, in UTF-8."""
    return "Basic " + base64.b64encode(username.encode() + b":" + password.reveal()).decode()


def _require(status: int, wanted: HTTPStatus) -> None:
    if status in _NO:
        raise Refused
    if status != wanted:
        raise Away
