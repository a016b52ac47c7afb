"""Starts the files service."""

from services.files.app import build
from services.files.config import Config
from services.kit.main import run

raise SystemExit(run("files", Config, build))
