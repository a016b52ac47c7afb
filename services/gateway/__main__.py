"""Runs the gateway: ``python -m services.gateway --config FILE``."""

from services.gateway.app import build
from services.gateway.config import Config
from services.kit.main import run

if __name__ == "__main__":
    raise SystemExit(run("gateway", Config, build))
