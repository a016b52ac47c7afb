"""A server that answers as no third party should: elsewhere, packed, without end, or drop by drop."""

from __future__ import annotations

import argparse
import gzip
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.support.third_parties.serving import ThirdParty, Wsgi, made, serve


def build(_arguments: argparse.Namespace) -> Wsgi:
    """Put the server together."""

    def serving(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/elsewhere":
            start("302 Found", [("location", "/taken")])
            return []
        start("200 OK", [("content-encoding", "gzip")] if path == "/packed" else [])
        return {"/packed": [gzip.compress(b"{}")], "/large": _large(), "/slow": _slow()}.get(path, [b"{}"])

    return serving


def _large() -> Iterator[bytes]:
    for _ in range(1024):
        yield bytes(65536)


def _slow() -> Iterator[bytes]:
    for _ in range(600):
        time.sleep(0.1)
        yield b" "


def start(folder: Path) -> ThirdParty:
    """Start one."""
    party = made(folder)
    party.start(__name__)
    return party


if __name__ == "__main__":
    serve(build)
