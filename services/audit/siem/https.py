"""The sink that is a collector: NDJSON by POST over verified HTTPS.

Must never follow a redirect, use a proxy from the environment, take an answer for more than its status, or raise
anything that holds the request.
"""

import asyncio
import ssl
from pathlib import Path

import httpx

from services.audit.siem.store import Batch, SinkError
from services.kit.secret import Secret

MAX_ANSWER_BYTES = 64 << 10
_OK = 2


class HttpsSink:
    """Sends to a collector."""

    def __init__(self, url: str, ca_file: Path | None, token: Secret | None, timeout_seconds: float) -> None:
        """Take the address, the CAs, the bearer token, and the longest that a request may take."""
        tls = ssl.create_default_context(cafile=ca_file)
        tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._url, self._token, self._seconds = url, token, timeout_seconds
        self._client = httpx.AsyncClient(
            verify=tls,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(timeout_seconds),
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=30),
        )

    async def send(self, batch: Batch) -> None:
        """Return when the collector has answered 2xx; raise SinkError otherwise."""
        reason, status = "REFUSED", 0
        try:
            async with asyncio.timeout(self._seconds):
                status = await self._post(batch.lines)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
            reason = _reason(error)
        if status // 100 != _OK:  # out of the except block: what was caught holds the request
            raise SinkError(reason, status)

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    async def _post(self, content: bytes) -> int:
        headers = {"content-type": "application/x-ndjson", "accept-encoding": "identity", "user-agent": "valv"}
        if self._token is not None:
            headers["authorization"] = f"Bearer {self._token.text()}"
        async with self._client.stream("POST", self._url, headers=headers, content=content) as response:
            seen = 0
            async for chunk in response.aiter_raw():  # read, or the connection cannot be used again
                seen += len(chunk)
                if seen > MAX_ANSWER_BYTES:
                    break
            return response.status_code


def _reason(error: BaseException | None) -> str:
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return "LATE"
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return "UNTRUSTED" if isinstance(error, ssl.SSLCertVerificationError) else "TLS"
        error = error.__cause__ or error.__context__
    return "AWAY"
