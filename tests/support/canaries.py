"""Owns the search for planted secrets: in files, and in the memory of running processes, however they are spelled.

Who may hold which secret in memory is read from the published list (deploy/tcb.toml); a file may hold none.
"""

from __future__ import annotations

import base64
import json
import re
import tomllib
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from mmap import PAGESIZE
from pathlib import Path
from urllib.parse import quote, quote_plus

from deploy.cli.layout import REPOSITORY

SANDBOXES = ("mail", "psp", "shop")
"""The other side: a mailbox, a payment gateway and a team's own shop, run for tests and development only."""
SEEN = {
    "password": "passwords",
    "session token": "session tokens",
    "mail token": "mail tokens",
    "TOTP seed": "seeds of authenticator apps",
    "recovery code": "recovery codes",
    "third-party password": "third-party passwords",
    "third-party token": "tokens of third parties",
    "client secret": "client secrets at third parties",
    "authorization code": "authorization codes of third parties",
    "card number": "card numbers",
    "file content": "plaintext of files",
}
"""Kind of canary -> what the published list calls it."""
_PIECE = 8 << 20
_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ (\d+)\s*(.*)")


@dataclass(frozen=True)
class Canary:
    """A secret that occurs nowhere by chance."""

    kind: str
    text: str

    def spellings(self) -> frozenset[bytes]:
        """Return it as it is, as hexadecimal, in a URL, in JSON, as wide text and in base64 at its three positions."""
        spelled = {quote(self.text, safe="").encode(), quote_plus(self.text).encode(), self.text.encode("utf-16-le")}
        spelled.add(json.dumps(self.text)[1:-1].encode())
        spelled |= {*_plain(self.text.encode()), *_base64(self.text.encode())}
        if raw := self._decoded():
            spelled |= {*_plain(raw), base64.b64encode(raw).rstrip(b"=")}
        return frozenset(spelled)

    def _decoded(self) -> bytes:
        """Return the bytes that the text of a token or of a seed stands for."""
        if self.kind == "TOTP seed":
            return base64.b32decode(self.text + "=" * (-len(self.text) % 8))
        if self.kind in ("session token", "mail token"):
            return base64.urlsafe_b64decode(self.text + "=" * (-len(self.text) % 4))
        return b""


def _plain(raw: bytes) -> tuple[bytes, ...]:
    return raw, raw.hex().encode(), raw.hex().upper().encode()


def _base64(raw: bytes) -> Iterator[bytes]:
    for shift in range(3):
        for alphabet in (None, b"-_"):
            coded = base64.b64encode(b"\0" * shift + raw, alphabet)
            yield coded[4 if shift else 0 : len(coded) - 4]


@dataclass(frozen=True)
class Hit:
    """A canary that was found, never with its text."""

    where: str
    kind: str


def trusted(kind: str) -> frozenset[str]:
    """Return the processes that the published list says see such a secret."""
    listed = tomllib.loads((REPOSITORY / "deploy" / "tcb.toml").read_text("utf-8"))
    words = {SEEN[kind], f"{SEEN[kind]} in transit"}
    return frozenset(name for name, process in listed.items() if words & set(process["sees"]))


def in_files(folder: Path, canaries: Iterable[Canary], left_out: Iterable[Path] = ()) -> set[Hit]:
    """Search every file under a folder: databases, write-ahead logs, logs, spans, dumps."""
    needles, away = _needles(canaries), tuple(left_out)
    found: set[Hit] = set()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(path.is_relative_to(one) for one in away):
            found |= {Hit(str(path.relative_to(folder)), kind) for kind in _kinds(path.read_bytes(), needles)}
    return found


def in_memory(name: str, pid: int, canaries: Iterable[Canary]) -> set[Hit]:
    """Search what a process can write to or has made itself; the code and constants of files are not read.

    Raises:
        PermissionError: This machine does not let us look.
    """
    needles = _needles(canaries)
    longest = max(map(len, needles))
    found: set[Hit] = set()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for start, end in _regions(pid):
            tail = b""
            for at in range(start, end, _PIECE):
                try:
                    memory.seek(at)
                    data = tail + memory.read(min(_PIECE, end - at))
                except OSError:  # unmapped meanwhile
                    break
                found |= {Hit(name, kind) for kind in _kinds(data, needles)}
                tail = data[-longest:]
    return found


def _regions(pid: int) -> Iterator[tuple[int, int]]:
    """Yield runs of addresses whose pages exist, in the mappings that hold what the process made."""
    with Path(f"/proc/{pid}/pagemap").open("rb", buffering=0) as pages:
        for line in Path(f"/proc/{pid}/maps").read_text("utf-8", "replace").splitlines():
            first, last, rights, inode, path = _MAPPING.fullmatch(line).groups()  # type: ignore[union-attr]  # that it is there is what the line asserts
            if rights[0] == "r" and ("w" in rights or inode == "0") and not path.startswith("[v"):
                start, end = int(first, 16), int(last, 16)
                pages.seek(start // PAGESIZE * 8)
                entries = array("Q", pages.read((end - start) // PAGESIZE * 8))
                for exists, run in groupby(enumerate(entries), lambda entry: entry[1] >> 62 != 0):
                    if exists:
                        numbers = [number for number, _ in run]
                        yield start + numbers[0] * PAGESIZE, start + (numbers[-1] + 1) * PAGESIZE


def _needles(canaries: Iterable[Canary]) -> Mapping[bytes, str]:
    return {spelling: one.kind for one in canaries for spelling in one.spellings()}


def _kinds(data: bytes, needles: Mapping[bytes, str]) -> set[str]:
    found: set[str] = set()
    for needle, kind in needles.items():
        if kind not in found and needle in data:
            found.add(kind)
    return found
