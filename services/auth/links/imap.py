"""Owns showing that a mailbox is a person's: one AUTHENTICATE PLAIN over verified TLS, on a thread of its own.

IMAP gives no token: nothing is kept but that it was shown, and when. AUTHENTICATE and not LOGIN, because every
server must offer it with TLS (RFC 3501 section 6.1.1), it takes any password, and imaplib keeps the commands it sent in
a log of its own, in which LOGIN would leave the password.
"""

from __future__ import annotations

import asyncio
import imaplib
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from services.auth.links.connectors import Away, Busy, Refused, Untrusted
from services.auth.links.grants import Grant
from services.auth.links.providers import ImapConfig, ImapSecurity

if TYPE_CHECKING:
    from services.kit.secret import Secret

MAX_ANSWER_BYTES = 64 << 10
PLACES = 4
"""Logins at once. More are refused: a password must not wait in a queue."""


class ImapConnector:
    """Asks one IMAP server."""

    def __init__(self, config: ImapConfig, tls: ssl.SSLContext, timeout_seconds: float) -> None:
        """Take the server, the TLS context and the longest a login may take."""
        self._config, self._tls, self._seconds = config, tls, timeout_seconds
        self._threads = ThreadPoolExecutor(PLACES, "imap")
        self._places = threading.BoundedSemaphore(PLACES)

    async def connect(self, username: str, password: Secret) -> Grant:
        """Log in once, and out.

        Raises:
            Refused: The server does not accept the password.
            Away: It did not answer, or offers no AUTHENTICATE PLAIN.
            Untrusted: Its certificate is not right; nothing was shown to it.
            Busy: All threads are taken.
        """
        if not self._places.acquire(blocking=False):
            raise Busy
        line = _Line(username, password)
        job = self._threads.submit(self._login, line)
        job.add_done_callback(lambda _done: self._places.release())
        try:
            async with asyncio.timeout(self._seconds):
                failure = await asyncio.wrap_future(job)
        except TimeoutError:
            failure = Away()
        finally:
            line.cut()
        if failure is not None:
            raise failure
        return Grant(subject=username)

    def _login(self, line: _Line) -> Exception | None:
        """Return what went wrong, made here: what a library raises may hold what was sent."""
        try:
            connection = self._open()
        except ssl.SSLCertVerificationError:
            return Untrusted()
        except (OSError, imaplib.IMAP4.error, ValueError):
            return Away()
        try:
            line.take(connection)
            connection.authenticate("PLAIN", line.credentials)
        except imaplib.IMAP4.abort:
            return Away()
        except imaplib.IMAP4.error as error:
            return Away() if "[UNAVAILABLE]" in str(error).upper() else Refused()
        except (OSError, ValueError, _CutError):
            return Away()
        else:
            return None
        finally:
            with suppress(OSError, imaplib.IMAP4.error, ValueError):
                connection.logout()

    def _open(self) -> imaplib.IMAP4:
        """Connect, and refuse a server that would not take the password as it must be sent."""
        config = self._config
        if config.security is ImapSecurity.TLS:
            secure = _BoundedTls(config.host, config.port, ssl_context=self._tls, timeout=self._seconds)
            return _ready(secure)
        plain = _Bounded(config.host, config.port, timeout=self._seconds)
        try:
            plain.starttls(self._tls)
        except BaseException:
            _hang_up(plain)
            raise
        return _ready(plain)


class _Line:
    """One login under way. Cut, its thread ends and finds no password any more."""

    def __init__(self, username: str, password: Secret) -> None:
        self._username, self._password = username, password
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._is_cut = False

    def take(self, connection: imaplib.IMAP4) -> None:
        """Say which connection is to be cut."""
        with self._lock:
            if self._is_cut:
                raise _CutError
            self._socket = connection.socket()

    def credentials(self, _challenge: bytes) -> bytes:
        """Return the message of RFC 4616."""
        with self._lock:
            if self._is_cut:
                raise _CutError
            return b"\x00" + self._username.encode() + b"\x00" + self._password.reveal()

    def cut(self) -> None:
        """End it, wherever it is."""
        with self._lock:
            self._is_cut = True
            if self._socket is not None:
                with suppress(OSError):
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class _CutError(Exception):
    """Nobody waits for this login any more."""


class _Bounded(imaplib.IMAP4):
    """Reads so many bytes and no more."""

    budget = MAX_ANSWER_BYTES

    def read(self, size: int) -> bytes:
        """Read a literal."""
        self._spend(size)
        return super().read(size)

    def readline(self) -> bytes:
        """Read a line."""
        line = super().readline()
        self._spend(len(line))
        return line

    def _spend(self, size: int) -> None:
        self.budget -= size
        if self.budget < 0:
            raise self.abort("too much")


class _BoundedTls(_Bounded, imaplib.IMAP4_SSL):
    """The same, with TLS from the first byte."""


def _hang_up(connection: imaplib.IMAP4) -> None:
    with suppress(OSError):  # a handshake that failed has closed it already
        connection.shutdown()


def _ready(connection: imaplib.IMAP4) -> imaplib.IMAP4:
    if connection.state != "NONAUTH" or "AUTH=PLAIN" not in connection.capabilities:
        _hang_up(connection)
        raise imaplib.IMAP4.abort("no plain authentication")
    return connection
