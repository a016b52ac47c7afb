"""Checkpoints beside each other: whether they can be of one log that only ever grew.

Owns the comparison of signed heads, and consistency proofs: files in the form of a witness's add-checkpoint request
(c2sp.org/tlog-witness@v1.0.0): "old N", the proof's hashes, an empty line, the newer checkpoint.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from deploy.cli.verify.note import BadError, Checkpoint, decode
from deploy.cli.verify.tree import HASH_BYTES, require_consistency
from deploy.cli.verify.trust import Trust
from deploy.cli.verify.verdict import State, Verdict

PROOF = b"old "
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True)
class Proof:
    """A consistency proof, not yet checked."""

    path: str
    old: int
    hashes: tuple[bytes, ...]
    new: Checkpoint


def parse_proof(path: str, data: bytes, trust: Trust) -> Proof:
    """Return the proof in a file; raise BadError when it is none, or its checkpoint is not signed."""
    head, blank, note = data.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise BadError("not a consistency proof") from None
    found = _OLD.fullmatch(lines[0])
    if not blank or found is None:
        raise BadError("not a consistency proof")
    hashes = tuple(decode(line) for line in lines[1:])
    if any(len(each) != HASH_BYTES for each in hashes):
        raise BadError("not a consistency proof")
    return Proof(path, int(found[1]), hashes, trust.open(note))


class History:
    """The heads that were met, by log and size."""

    def __init__(self) -> None:
        """Begin with none."""
        self._heads: dict[tuple[str, int], tuple[str, Checkpoint]] = {}
        self._asked: set[tuple[str, int]] = set()
        self._linked: set[tuple[str, int, int]] = set()
        self._fitting: set[tuple[str, int]] = set()
        self._required: set[tuple[str, int, int]] = set()

    @property
    def heads(self) -> list[tuple[str, Checkpoint]]:
        """Every head once, with the path it was first met at."""
        return list(self._heads.values())

    def meet(self, path: str, head: Checkpoint, *, asked: bool = False) -> Verdict | None:
        """Take a head in; `asked` when it was given to be compared. Returns a verdict when it proves a fork."""
        place = head.origin, head.size
        known, other = self._heads.setdefault(place, (path, head))
        if asked:
            self._asked.add(place)
        if other.root == head.root:
            return None
        text = f"the log signed two different trees of {head.size} entries: keep this and {known}, they prove it"
        return Verdict(path, "history", State.BAD, text, {"size": head.size, "other": known})

    def fit(self, head: Checkpoint) -> None:
        """Keep that the log that is compared with begins with the head's entries."""
        self._fitting.add((head.origin, head.size))

    def require(self, old: Checkpoint, new: Checkpoint) -> None:
        """Ask for a proof that the log of `old` went on to `new`."""
        self._required.add((old.origin, old.size, new.size))

    def prove(self, proof: Proof) -> Verdict:
        """Judge a consistency proof by the heads that were met."""
        path, new = proof.path, proof.new
        known = self._heads.get((new.origin, proof.old))
        facts = {"old": proof.old, "new": new.size, "origin": new.origin}
        if known is None:
            text = f"no checkpoint of {proof.old} entries was given, from which its proof could start"
            return Verdict(path, "proof", State.OPEN, text, facts)
        try:
            require_consistency(proof.old, new.size, proof.hashes, known[1].root, new.root)
        except BadError as error:
            return Verdict(path, "proof", State.BAD, str(error), facts)
        self._linked.add((new.origin, proof.old, new.size))
        text = f"the log of {new.size} entries begins with the {proof.old} entries of {known[0]}"
        return Verdict(path, "proof", State.OK, text, facts)

    def gaps(self, *, alone: bool) -> Iterator[Verdict]:
        """Yield what is not known: of which heads nobody has shown that one continues the other.

        Receipts prove their events without that; checkpoints that were given to be compared do not, nor does what was
        required. `alone`: no copy of the log was there to compare the heads with.
        """
        pairs = dict.fromkeys(self._required, State.OPEN)
        for state, heads in ((State.OPEN, self._asked), (State.NOTE, self._heads)):
            for (origin, old), (following, new) in pairwise(sorted(heads)):
                if alone and origin == following:
                    pairs.setdefault((origin, old, new), state)
        for (origin, old, new), state in sorted(pairs.items()):
            if old and not self._shown(origin, old, new):
                text = f"that the tree of {new} entries continues that of {old} was not shown: give a proof, or --log"
                yield Verdict(self._heads[origin, new][0], "history", state, text, {"old": old, "new": new})

    def _shown(self, origin: str, old: int, new: int) -> bool:
        """Tell whether both fit the log that is compared with, or proofs lead from the one to the other."""
        if old == new or {(origin, old), (origin, new)} <= self._fitting:
            return True
        steps = [end for name, start, end in self._linked if (name, start) == (origin, old) and start < end <= new]
        return any(self._shown(origin, step, new) for step in steps)
