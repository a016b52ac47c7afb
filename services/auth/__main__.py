"""Runs the auth service: ``python -m services.auth --config FILE``."""

from __future__ import annotations

from services.auth.app import build
from services.auth.config import Config
from services.kit.main import run

if __name__ == "__main__":
    raise SystemExit(run("auth", Config, build))
