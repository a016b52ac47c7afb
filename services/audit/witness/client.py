"""The client of one witness (c2sp.org/tlog-witness@v1.0.0).

Owns the calls to it: over TLS to the configured host alone, without redirects, within a time, with a bounded answer.
Checks its answers' form and nothing of their meaning.
"""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus

import httpx

from services.audit.witness.config import WitnessConfig

LONGEST = 1 << 16
"""Bytes of the longest answer that is read."""
_SIZE_TYPE = "text/x.tlog.size"
_MAX_SIZE_DIGITS = 19


class WitnessAwayError(Exception):
    """The witness did not answer in time, or not in the form that is specified."""


class RefusedError(Exception):
    """The witness will not cosign this, however often it is asked."""

    def __init__(self, status: int) -> None:
        """Take the status of its answer."""
        super().__init__(str(status))
        self.status = status


class StaleError(Exception):
    """The witness has cosigned another size last."""

    def __init__(self, size: int) -> None:
        """Take that size."""
        super().__init__(str(size))
        self.size = size


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    kind: str
    body: bytes


class HttpWitness:
    """A witness, asked over HTTP."""

    def __init__(self, config: WitnessConfig) -> None:
        """Take its configuration; nothing is sent yet."""
        self._config = config
        tls = ssl.create_default_context(cafile=config.ca_file)
        self._client = httpx.AsyncClient(verify=tls, trust_env=False, follow_redirects=False, timeout=config.timeout)

    async def add_checkpoint(self, old: int, proof: Sequence[str], note: bytes) -> bytes:
        """Return the witness's signature lines over a checkpoint that extends the one of size `old`.

        Raises:
            StaleError: It has cosigned another size last.
            RefusedError: It will not cosign this.
            WitnessAwayError: It is away.
        """
        body = "".join(f"{line}\n" for line in (f"old {old}", *proof, "")).encode() + note
        answer = await self._ask("POST", f"{self._config.url.rstrip('/')}/add-checkpoint", body)
        if answer.status == HTTPStatus.OK:
            return answer.body
        if answer.status == HTTPStatus.CONFLICT and answer.kind == _SIZE_TYPE:
            raise StaleError(_size(answer.body))
        if HTTPStatus.BAD_REQUEST <= answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            raise RefusedError(answer.status)
        raise WitnessAwayError

    async def latest(self, origin: str) -> bytes | None:
        """Return the latest note that it cosigned of the log, or None: none, or no place to ask.

        Raises:
            WitnessAwayError: It is away.
        """
        if self._config.monitor_url is None:
            return None
        name = sha256(origin.encode()).hexdigest()
        answer = await self._ask("GET", f"{self._config.monitor_url.rstrip('/')}/{name}/checkpoint", None)
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.status != HTTPStatus.OK:
            raise WitnessAwayError
        return answer.body

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _ask(self, method: str, url: str, body: bytes | None) -> _Answer:
        headers, read = {"accept-encoding": "identity", "user-agent": "valv"}, b""
        try:
            async with (
                asyncio.timeout(self._config.timeout),
                self._client.stream(method, url, headers=headers, content=body) as response,
            ):
                async for part in response.aiter_raw():
                    read += part
                    if len(read) > LONGEST:
                        raise WitnessAwayError
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:  # among them, that the time is over
            raise WitnessAwayError from error
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        return _Answer(response.status_code, kind, read)


def _size(body: bytes) -> int:
    text = body.removesuffix(b"\n")
    if not text.isdigit() or len(text) > _MAX_SIZE_DIGITS or (text.startswith(b"0") and text != b"0"):
        raise WitnessAwayError
    return int(text)
