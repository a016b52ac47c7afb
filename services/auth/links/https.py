"""Owns the HTTPS that third parties are asked over: one connection for one request, verified, bounded, then closed.

Must never follow a redirect, retry, use a proxy from the environment, unpack a compressed answer, or raise anything
that holds the request.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from services.auth.links.connectors import Away, Untrusted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_ANSWER_BYTES = 256 << 10


def client_context(ca_file: Path | None) -> ssl.SSLContext:
    """Return a context that verifies the third party against a bundle, or the system's."""
    tls = ssl.create_default_context(cafile=ca_file)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    return tls


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: bytes

    def object(self) -> dict[str, Any]:
        """Return the body as a JSON object.

        Raises:
            Away: It is something else.
        """
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise Away
        return found


class Https:
    """Asks one third party."""

    def __init__(self, tls: ssl.SSLContext, timeout_seconds: float) -> None:
        """Take the TLS context and the longest a request may take."""
        self._tls, self._seconds = tls, timeout_seconds

    async def ask(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, content: bytes | None = None
    ) -> Answer:
        """Send one request.

        Raises:
            Away: There was no whole answer in time.
            Untrusted: The certificate is not right; nothing was sent.
        """
        failure: Exception
        try:
            async with asyncio.timeout(self._seconds):
                return await self._ask(method, url, headers or {}, content)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError, _Unusable) as error:
            failure = Untrusted() if _is_untrusted(error) else Away()
        raise failure  # out of the except block: what was caught holds the request

    async def _ask(self, method: str, url: str, headers: Mapping[str, str], content: bytes | None) -> Answer:
        async with (
            httpx.AsyncClient(
                verify=self._tls, trust_env=False, follow_redirects=False, timeout=httpx.Timeout(self._seconds)
            ) as client,
            client.stream(
                method,
                url,
                headers={"accept": "application/json", "accept-encoding": "identity", "user-agent": "valv", **headers},
                content=content,
            ) as response,
        ):
            if response.headers.get("content-encoding", "identity").lower() != "identity":
                raise _Unusable
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise _Unusable
            return Answer(response.status_code, bytes(body))


class _Unusable(Exception):  # noqa: N818 - an answer
    """The answer is too large or packed."""


def _is_untrusted(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
