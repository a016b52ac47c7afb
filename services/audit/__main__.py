"""Starts the audit service."""

from services.audit.app import build
from services.audit.config import Config
from services.kit.main import run

raise SystemExit(run("audit", Config, build))
