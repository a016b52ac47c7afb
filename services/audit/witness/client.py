"""The client of one witness (c2sp.org/tlog-witness@v1.0.0).

Owns the calls to it: over TLS to the configured host alone, without redirects, within a time, with a bounded answer.
Checks its answers' form and nothing of their meaning.
"""

import asyncio
import ssl
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus

import urllib3
from urllib3.exceptions import HTTPError

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
        context = ssl.create_default_context(cafile=str(config.ca_file) if config.ca_file is not None else None)
        self._pool = urllib3.PoolManager(num_pools=2, maxsize=1, retries=False, ssl_context=context)
        self._threads = ThreadPoolExecutor(2, thread_name_prefix=f"witness-{config.name}")

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
        """Give up connections and threads."""
        self._pool.clear()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, method: str, url: str, body: bytes | None) -> _Answer:
        work = asyncio.get_running_loop().run_in_executor(self._threads, self._call, method, url, body)
        try:
            return await asyncio.wait_for(work, self._config.timeout)
        except (HTTPError, OSError, TimeoutError) as error:
            raise WitnessAwayError from error

    def _call(self, method: str, url: str, body: bytes | None) -> _Answer:
        """Ask, and read what arrives until the time is over; one socket operation takes no longer than the whole."""
        until = time.monotonic() + self._config.timeout
        timeout = urllib3.Timeout(connect=self._config.timeout, read=self._config.timeout)
        response = self._pool.request(
            method, url, body=body, timeout=timeout, redirect=False, preload_content=False, decode_content=False
        )
        try:
            read, part = b"", b"-"
            while len(read) <= LONGEST and time.monotonic() <= until and (part := response.read1(LONGEST)):
                read += part
        except BaseException:
            response.close()
            raise
        if part:
            response.close()
            raise WitnessAwayError
        response.release_conn()
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        return _Answer(response.status, kind, read)


def _size(body: bytes) -> int:
    text = body.removesuffix(b"\n")
    if not text.isdigit() or len(text) > _MAX_SIZE_DIGITS or (text.startswith(b"0") and text != b"0"):
        raise WitnessAwayError
    return int(text)
