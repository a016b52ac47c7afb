"""Owns `valv account export`: a person's own data in one archive, fetched from a running Valv as any API client would.

Each service gives its own part; the archive is made here, and every receipt in it is checked before it is called done.
Must never write the session token anywhere.
"""

from __future__ import annotations

import argparse
import getpass
import ssl
import sys
from pathlib import Path

import httpx

from deploy.cli.archive import Archive, Away, ExportError
from deploy.cli.verify.note import BadError, parse_key

_SECONDS = 60.0


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit code: 0 done, 1 it was not, 2 it was called wrongly."""
    parser = argparse.ArgumentParser(prog="valv account", description="Your own account.")
    command = parser.add_subparsers(dest="command", required=True).add_parser(
        "export", help="fetch everything Valv holds about you, with proofs, into a zip archive"
    )
    command.add_argument("archive", type=Path, help="the archive to write; it must not exist")
    command.add_argument("--url", required=True, help="where Valv is, such as https://valv.example")
    command.add_argument("--token-file", type=Path, help="file with the session token; asked for when absent")
    command.add_argument("--ca", type=Path, help="trust this authority instead of the system's")
    command.add_argument("--key", help="the log's verifier key; the one Valv publishes when absent")
    flags = parser.parse_args(arguments)
    if flags.archive.exists():
        sys.stderr.write(f"{flags.archive} exists\n")
        return 2
    part = flags.archive.with_name(flags.archive.name + ".part")
    try:
        token = flags.token_file.read_text("utf-8") if flags.token_file else getpass.getpass("Session token: ")
        trust = ssl.create_default_context(cafile=flags.ca)
        headers = {"Valv-Session": token.strip()}
        with httpx.Client(base_url=flags.url, headers=headers, verify=trust, timeout=_SECONDS) as http:
            summary = Archive(http, _say).write(part, parse_key(flags.key) if flags.key else None)
        part.rename(flags.archive)
    except (ExportError, Away, BadError, OSError, httpx.HTTPError) as error:
        part.unlink(missing_ok=True)
        sys.stderr.write(f"nothing was exported: {error}\n")
        return 1
    sys.stdout.write(f"{flags.archive}: {summary}\n")
    return 0


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
