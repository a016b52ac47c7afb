"""Runs the sandbox gateway: `python -m deploy.sandbox.psp --config FILE`."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from deploy.sandbox.psp import app
from deploy.sandbox.psp.config import Config
from services.kit.clock import SystemClock
from services.kit.config import ConfigError, load


async def _serve(config: Config) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    gateway = await app.start(config, SystemClock())
    await stop.wait()
    await gateway.close()


def main() -> int:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="valv-sandbox-psp")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--check-config", action="store_true")
    flags = parser.parse_args()
    try:
        config = load(Config, flags.config)
    except ConfigError as error:
        sys.stderr.write(f"{flags.config}: {error}\n")
        return 2
    if not flags.check_config:
        os.umask(0o077)
        logging.basicConfig(level=logging.WARNING)
        asyncio.run(_serve(config))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
