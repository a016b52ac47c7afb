"""Runs billing's migrations."""

from services.kit.migrate import run_env

run_env()
