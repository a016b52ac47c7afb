"""Owns `valv audit`: what an operator does with the log, under their own name; one module for each part."""

from __future__ import annotations

import importlib
import sys

PARTS = {
    "search": "find events",
    "receipt": "fetch the receipt of an event",
    "hold": "place, list and release legal holds",
    "retention": "tell what the next sweep would do",
    "reconcile": "compare what services say they sent with what the log holds",
    "remains": "show what stays of the records about a customer who was erased",
}


def main(arguments: list[str]) -> int:
    """Run the part that the first argument names; returns the exit code."""
    name = arguments[0] if arguments else ""
    if name not in PARTS:
        sys.stdout.write("usage: valv audit <part>\n\n")
        sys.stdout.write("".join(f"  {part:10} {about}\n" for part, about in PARTS.items()))
        return 0 if name in ("", "help", "--help") else 2
    return int(importlib.import_module(f"deploy.cli.audit_{name}").main(arguments[1:]))
