"""Runs the shop: `python -m deploy.sandbox.shop --config FILE`."""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from deploy.sandbox.shop import app
from deploy.sandbox.shop.config import Config
from services.kit.clock import SystemClock
from services.kit.config import ConfigError, load
from services.kit.telemetry import Telemetry


async def _serve(config: Config) -> None:
    clock = SystemClock()
    telemetry = Telemetry("shop", config.telemetry, clock)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    close = await app.start(config, clock)
    await stop.wait()
    await close()
    await telemetry.close()


def main() -> int:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="valv-sandbox-shop")
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
        asyncio.run(_serve(config))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
