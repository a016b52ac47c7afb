"""Exports to a SIEM: JSON lines with a record for every index, and signed checkpoints between them.

Owns the finding of what is missing. The leaf hashes from index 0 on make the signed tree again, so that nothing but the
log's key is needed; of a later part, a copy of the log tells. What an event says is proven by receipts, not here.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.cli.verify.files import Files
from deploy.cli.verify.log import level_zero
from deploy.cli.verify.note import BadError, Checkpoint
from deploy.cli.verify.tree import EMPTY, HASH_BYTES, node
from deploy.cli.verify.trust import Trust
from deploy.cli.verify.verdict import State, Verdict

_FILE = re.compile(r"[0-9]{20}\.jsonl")
_LEAF = re.compile(r"[0-9a-f]{64}")
_LONGEST = 1 << 20
_WIDTH = 256

Meet = Callable[[Checkpoint], Verdict | None]
"""Takes the newest head of an export; returns a verdict when it proves a fork."""


@dataclass
class Export:
    """What an export turned out to hold: leaf hashes of consecutive entries."""

    path: str
    first: int = -1
    hashes: bytearray = field(default_factory=bytearray)
    covered: int = 0
    """Below this index, everything is under a signed root that was made again."""
    root: bytes = EMPTY
    """That root."""
    head: Checkpoint | None = None
    """The newest signed head in it."""
    ended: int = -1
    """The last index that a checkpoint record follows."""

    @property
    def following(self) -> int:
        """The index that must come next."""
        return self.first + len(self.hashes) // HASH_BYTES

    def leaf(self, index: int) -> bytes:
        """Return the leaf hash of an entry it holds."""
        at = (index - self.first) * HASH_BYTES
        return bytes(self.hashes[at : at + HASH_BYTES])


def files_of(path: Path) -> list[Path]:
    """Return the files of an export: the path itself, or in a directory those named by their first index, in order."""
    if path.is_dir():
        return sorted(each for each in path.iterdir() if _FILE.fullmatch(each.name))
    return [path] if path.suffix == ".jsonl" and _is_export(path) else []


def verify(path: Path, files: Iterable[Path], trust: Trust, meet: Meet, *, alone: bool) -> Iterator[Verdict | Export]:
    """Judge an export; yields verdicts, and what it holds when a copy of the log will tell more (not `alone`)."""
    reader = _Reader(Export(str(path)), trust)
    for file in files:
        for number, line in enumerate(_lines(file), 1):
            try:
                reader.take(line)
            except BadError as error:
                yield Verdict(str(path), "siem", State.BAD, f"{file.name} line {number}: {error}")
                return
    head = reader.export.head
    if head is not None and (forked := meet(head)) is not None:
        yield forked
    yield from reader.end(alone=alone)


def compare(export: Export, copy: Files, head: Checkpoint, roots: Mapping[int, bytes]) -> Verdict:
    """Compare every leaf hash of an export with a copy of the log, which was found whole under `head`.

    Of what a pruned log has withdrawn, the roots of the log tell, if the export has a signed root of its own over it.
    """
    size = head.size
    if export.head is None or export.head.origin != head.origin:
        return Verdict(export.path, "siem", State.OPEN, f"it is no export of log {head.origin}")
    withdrawn = 0
    for index in range(export.first - export.first % _WIDTH, min(export.following, size), _WIDTH):
        hashes = level_zero(copy, index // _WIDTH, size)
        if hashes is None:
            withdrawn = index + _WIDTH
            continue
        for each in range(max(index, export.first), min(index + _WIDTH, export.following, size)):
            at = (each - index) * HASH_BYTES
            if export.leaf(each) != hashes[at : at + HASH_BYTES]:
                return Verdict(export.path, "siem", State.BAD, f"index {each} is another entry in the log")
    facts = {"first": export.first, "last": export.following - 1, "size": size}
    if export.following > size:
        text = f"it goes on to index {export.following - 1}, beyond the {size} entries of the log given"
        return Verdict(export.path, "siem", State.OPEN, text, facts)
    if withdrawn > export.covered or export.covered not in roots:
        text = f"indexes {export.first} to {withdrawn - 1} cannot be compared: the log has withdrawn them"
        return Verdict(export.path, "siem", State.OPEN, text, facts)
    if roots[export.covered] != export.root:
        text = f"its first {export.covered} entries are not those of the log"
        return Verdict(export.path, "siem", State.BAD, text, facts)
    text = f"indexes {export.first} to {export.following - 1} without a gap are the log's"
    return Verdict(export.path, "siem", State.OK, text, facts)


class _Reader:
    """An export while it is read."""

    def __init__(self, export: Export, trust: Trust) -> None:
        self.export, self._trust = export, trust
        self._heads: dict[int, bytes] = {}
        self._edge: list[tuple[int, bytes]] = []
        """The subtrees that are whole, largest first: (number of entries, root)."""

    def take(self, line: bytes) -> None:
        """Take a record in; raise BadError when it does not follow the ones before."""
        said = _said(line)
        if said.get("record") == "checkpoint":
            self._checkpoint(said)
            return
        log = said.get("log")
        index, hashed = (log.get("index"), log.get("leaf_hash")) if isinstance(log, dict) else (None, None)
        if type(index) is not int or index < 0 or not isinstance(hashed, str) or not _LEAF.fullmatch(hashed):
            raise BadError("not a record of an export")
        self._entry(index, bytes.fromhex(hashed))

    def end(self, *, alone: bool) -> Iterator[Verdict | Export]:
        """Judge the whole."""
        export = self.export
        if export.first < 0:
            yield Verdict(export.path, "siem", State.OPEN, "it holds no record")
            return
        last = export.following - 1
        facts = {"first": export.first, "last": last, "covered": export.covered}
        held = f"indexes {export.first} to {last} without a gap"
        if export.ended < last:
            text = f"{held}, but no checkpoint after index {export.ended}: its end is missing"
            yield Verdict(export.path, "siem", State.BAD, text, facts)
        elif not alone:
            yield export
        elif export.first:
            text = f"{held}; it begins above 0, so only --log can tell that they are the log's"
            yield Verdict(export.path, "siem", State.OPEN, text, facts)
        elif export.covered <= last:
            text = f"{held}; those from {export.covered} on are under a checkpoint of more entries than it holds"
            yield Verdict(export.path, "siem", State.OPEN, text, facts)
        else:
            text = f"{held}, all under signed roots: nothing was removed; what events say, receipts prove"
            yield Verdict(export.path, "siem", State.OK, text, facts)

    def _entry(self, index: int, hashed: bytes) -> None:
        export = self.export
        if export.first < 0:
            export.first = index
        if index > export.following:
            missing = (
                f"index {export.following} is"
                if index == export.following + 1
                else (f"indexes {export.following} to {index - 1} are")
            )
            raise BadError(f"{missing} missing")
        if index < export.first:
            raise BadError(f"index {index} comes after {export.following - 1}, and was not there before")
        if index < export.following:
            if export.leaf(index) != hashed:
                raise BadError(f"index {index} was another entry before")
            return
        export.hashes += hashed
        if export.first == 0:
            self._grow(hashed)
            self._settle()

    def _checkpoint(self, said: dict[str, Any]) -> None:
        note, last, export = said.get("note"), said.get("last"), self.export
        if not isinstance(note, str) or type(last) is not int:
            raise BadError("not a record of an export")
        head = self._trust.open(note.encode())
        if last >= export.following or head.size <= last:
            raise BadError(f"index {export.following} is missing: a batch ends with {last}")
        export.ended = max(export.ended, last)
        if self._heads.setdefault(head.size, head.root) != head.root:
            raise BadError(f"two different trees of {head.size} entries are signed")
        if export.head is None or export.head.size < head.size:
            export.head = head
        self._settle()

    def _grow(self, hashed: bytes) -> None:
        self._edge.append((1, hashed))
        while len(self._edge) > 1 and self._edge[-2][0] == self._edge[-1][0]:
            (count, left), (_, right) = self._edge[-2:]
            self._edge[-2:] = [(count * 2, node(left, right))]

    def _settle(self) -> None:
        """Compare with the signed root of as many entries, if there is one."""
        export = self.export
        expected = self._heads.get(export.following) if export.first == 0 else None
        if expected is None:
            return
        value = EMPTY
        for position, (_, hashed) in enumerate(reversed(self._edge)):
            value = node(hashed, value) if position else hashed
        if value != expected:
            raise BadError(f"its first {export.following} entries are not those that were signed")
        export.covered, export.root = export.following, value


def _is_export(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            return bool(_said(file.readline(_LONGEST)))
        except BadError:
            return False


def _lines(file: Path) -> Iterator[bytes]:
    with file.open("rb") as lines:
        while line := lines.readline(_LONGEST):
            yield line


def _said(line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
        said = record["unmapped"]["valv"]
    except (ValueError, RecursionError, KeyError, TypeError):
        raise BadError("not a record of an export") from None
    if not isinstance(said, dict):
        raise BadError("not a record of an export")
    return said
