"""An IMAP server (pymap): with STARTTLS as it is, and with TLS from the first byte through a listener before it."""

from __future__ import annotations

import asyncio
import re
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.servers import free_ports
from tests.support.third_parties.serving import ThirdParty, made

USER = "anna"
_SERVE = "from pymap.main import main; main()"


_LOGIN = re.compile(r"-->\| \S+ (AUTHENTICATE|LOGIN) ")


@dataclass
class Tap:
    """What stands before the server; can let a person's credentials in and nothing out any more."""

    stalled: bool = False


def logins(party: ThirdParty) -> int:
    """Return how often somebody tried to log in, as the server has it."""
    return len(_LOGIN.findall((party.folder / "log").read_text("utf-8")))


def start(folder: Path, password: str) -> ThirdParty:
    """Start one with STARTTLS and nothing before it, in which ``USER`` has this password."""
    party = made(folder)
    _run(party, party.port, password, _certificate(party))
    asyncio.run(_until_served(party, party.port))
    return party


def _run(party: ThirdParty, port: int, password: str, options: list[str]) -> None:
    command = [sys.executable, "-c", _SERVE, "--debug", "--no-service", "managesieve", "--no-service", "admin"]
    command += ["--host", "127.0.0.1", "--port", str(port), *options, "dict"]
    with (party.folder / "log").open("ab") as log:
        party.process = subprocess.Popen(
            [*command, "--demo-user", USER, "--demo-password", password], stderr=log, stdout=log
        )


def _stem(party: ThirdParty) -> Path:
    return party.folder / "certs" / "browser" / "party"


def _certificate(party: ThirdParty) -> list[str]:
    return ["--cert", f"{_stem(party)}.pem", "--key", f"{_stem(party)}.key"]


@asynccontextmanager
async def imap(folder: Path, password: str, *, tls: bool) -> AsyncIterator[tuple[ThirdParty, Tap]]:
    """Serve a mailbox of ``USER`` with this password; with ``tls`` from the first byte, else STARTTLS."""
    party, tap = made(folder), Tap()
    (inner,) = free_ports(1)
    stem = _stem(party)
    _run(party, inner, password, ["--no-tls"] if tls else _certificate(party))
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{stem}.pem", f"{stem}.key")
    try:
        await _until_served(party, inner)
        server = await asyncio.start_server(_through(tap, inner), "127.0.0.1", party.port, ssl=context)
        async with server:
            yield party, tap
    finally:
        party.stop()


def _through(tap: Tap, inner: int):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a callback of asyncio
    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, inward: bool) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while chunk := await reader.read(65536):
                if tap.stalled and not inward and b"Authentication" in chunk:
                    return
                writer.write(chunk)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", inner)
        with suppress(asyncio.CancelledError):  # the test is over
            await asyncio.gather(pump(reader, back, inward=True), pump(there, writer, inward=False))

    return serve


async def _until_served(party: ThirdParty, port: int) -> None:
    for _ in range(300):
        assert party.process is not None
        assert party.process.poll() is None, (party.folder / "log").read_text("utf-8")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return
    raise AssertionError("it does not answer")
