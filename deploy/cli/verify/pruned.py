"""The minimum index of a log's copy (c2sp.org/tlog-tiles, "Pruning"): below it, nothing of the log need be there.

Owns whether it is believed. A number excuses nothing that is missing, whoever wrote it down: the log must say it in an
entry of its own, which cannot be taken back, and which is under the same root as all the rest, or under a newer one
that is shown to continue it.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from deploy.cli.verify import log, receipt
from deploy.cli.verify.files import Files
from deploy.cli.verify.note import LONGEST, BadError, Checkpoint
from deploy.cli.verify.tiles import WIDTH
from deploy.cli.verify.tree import HASH_BYTES
from deploy.cli.verify.trust import Trust

STATEMENT = "minimum-index"
"""The file that a copy has it in: what the log serves under that name."""
_ACTION, _PRODUCER = "audit.retention.prune", "audit"
_NUMBER = re.compile(rb"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True)
class Whole:
    """What was found to be a log: all of it, or all that is not below its minimum index."""

    head: Checkpoint
    roots: dict[int, bytes]
    minimum: int = 0
    said: receipt.Receipt | None = None
    """The log's own entry that says so; None in a log that is not pruned."""

    @property
    def ahead(self) -> bool:
        """Whether the entry that says so is not in the copy yet: believed when the newer tree continues the copy's."""
        return self.said is not None and self.said.index >= self.head.size

    @property
    def text(self) -> str:
        """What holds."""
        text = f"log {self.head.origin}: all {self.head.size} entries are under its signed root"
        if self.said is None:
            return text
        entry = f"entry {self.said.index} of a newer tree" if self.ahead else f"its entry {self.said.index}"
        return (
            f"{text}; entries were checked from index {self.minimum} on, "
            f"those before were withdrawn by the log, as {entry} says"
        )

    @property
    def facts(self) -> dict[str, object]:
        """The same as facts."""
        return {} if self.said is None else {"minimum": self.minimum, "saidAt": self.said.index}


def whole(
    files: Files, head: Checkpoint, trust: Trust, tell: Callable[[int], None], sizes: Iterable[int] = ()
) -> Whole:
    """Check every file of the log under `head`, and its minimum index; also find the roots it had at `sizes`.

    What is `ahead` still needs a proof that ties the newer tree to this one.

    Raises:
        BadError: Something is missing that no entry of the log withdrew, or is not the log's.
    """
    minimum, said = _stated(files, head, trust)
    if said is None:
        return Whole(head, log.roots(files, head, sizes, tell))
    known = said.checkpoint
    roots = log.roots(files, head, {*sizes, known.size}, tell, minimum)
    if roots.get(known.size, known.root) != known.root:
        raise BadError(f"{STATEMENT}: its checkpoint of {known.size} entries is not of this log")
    found = Whole(head, roots, minimum, said)
    if not found.ahead:
        _require_entry(files, head.size, said)
    return found


def _stated(files: Files, head: Checkpoint, trust: Trust) -> tuple[int, receipt.Receipt | None]:
    data = files.read(STATEMENT, LONGEST)
    if data is None or data == b"0\n":
        return 0, None
    number, blank, proof = data.partition(b"\n\n")
    if not _NUMBER.fullmatch(number) or not blank:
        raise BadError(f"{STATEMENT} is a number, an empty line and a receipt")
    minimum, said = int(number), receipt.verify(proof, trust)
    if said.checkpoint.origin != head.origin:
        raise BadError(f"{STATEMENT} is another log's")
    if _withdrawn(said.event) != minimum:
        raise BadError(f"{STATEMENT}: the entry does not say that the log withdrew what is below {minimum}")
    if not minimum <= min(head.size, said.index):
        raise BadError(f"{STATEMENT}: {minimum} is beyond the log, or beyond the entry that says so")
    return minimum, said


def _withdrawn(event: dict[str, Any]) -> int | None:
    """Return below which index an event says that the log withdrew everything; None when it is another event."""
    said = (event["action"], event["outcome"], event["producer"]["name"])
    count = event.get("details", {}).get("count")
    return count if said == (_ACTION, "success", _PRODUCER) and type(count) is int else None


def _require_entry(files: Files, size: int, said: receipt.Receipt) -> None:
    """Check that the copy has the entry in its place."""
    hashes, at = log.level_zero(files, said.index // WIDTH, size), said.index % WIDTH * HASH_BYTES
    if hashes is None or hashes[at : at + HASH_BYTES] != said.leaf:
        raise BadError(f"{STATEMENT}: entry {said.index} of this log is another one")
