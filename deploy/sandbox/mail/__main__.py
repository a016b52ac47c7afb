"""Runs the mail sandbox: SMTP in, a page out."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from pathlib import Path

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

from deploy.sandbox.mail.config import Config, address
from deploy.sandbox.mail.mailbox import Mailbox
from deploy.sandbox.mail.page import application
from services.kit.clock import SystemClock
from services.kit.config import load

_MAX_BYTES = 1 << 20


class Keeper:
    """Takes mails for aiosmtpd."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep the mail for each recipient; answer only when it is on disk."""
        content = envelope.original_content or b""
        for recipient in envelope.rcpt_tos:
            await asyncio.to_thread(self._mailbox.keep, recipient, content)
        return "250 kept"


async def serve(config: Config) -> None:
    """Serve until a signal."""
    mailbox = Mailbox(config.folder, SystemClock())
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def session() -> SMTP:
        return SMTP(Keeper(mailbox), data_size_limit=_MAX_BYTES, enable_SMTPUTF8=True, hostname="localhost", loop=loop)

    smtp = await loop.create_server(session, *address(config.smtp))
    host, port = address(config.page)
    runner = web.AppRunner(
        application(mailbox, frozenset({f"{host}:{port}", f"localhost:{port}"})), access_log=None, handle_signals=False
    )
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    await stop.wait()
    smtp.close()
    await runner.cleanup()


def main() -> None:
    """Read the configuration and serve."""
    parser = argparse.ArgumentParser(prog="valv-sandbox-mail")
    parser.add_argument("--config", type=Path, required=True)
    os.umask(0o077)
    asyncio.run(serve(load(Config, parser.parse_args().config)))


if __name__ == "__main__":
    main()
