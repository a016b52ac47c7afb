"""What is believed: the log's key, and which witnesses must have cosigned (c2sp.org/tlog-policy).

Owns the policy file and the opening of signed checkpoints. Nothing that is checked can add to what is believed.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from deploy.cli.verify.note import BadError, Checkpoint, Key, Kind, Note, parse_checkpoint, parse_key, parse_note

_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_THRESHOLD = re.compile(r"[1-9][0-9]{0,3}")
_NONE = "none"


@dataclass(frozen=True)
class Group:
    """Who must have cosigned: at least `needed` of these witnesses and groups."""

    needed: int
    members: tuple[str, ...]


@dataclass(frozen=True)
class Trust:
    """The logs whose word counts, and who must have cosigned it."""

    logs: tuple[Key, ...]
    witnesses: dict[str, Key] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    quorum: str = _NONE

    def open(self, data: bytes) -> Checkpoint:
        """Return the checkpoint in a note that a known log signed and enough witnesses cosigned; else BadError."""
        note = parse_note(data)
        signers = [log for log in self.logs if log.signed(note)]
        if not signers:
            raise BadError("the checkpoint is not signed by this key")
        head = parse_checkpoint(note.text)
        if head.origin not in {log.name for log in signers}:
            raise BadError("the checkpoint is another log's")
        seen = self.cosigned(note)
        if self.quorum != _NONE and not self._witnessed(self.quorum, seen):
            raise BadError(f"cosigned by {', '.join(sorted(seen)) or 'no witness'}, which the policy calls too few")
        return head

    def cosigned(self, note: Note) -> set[str]:
        """Return which witnesses have cosigned; raise BadError when a cosignature of one of them is wrong."""
        return {name for name, key in self.witnesses.items() if key.signed(note)}

    def _witnessed(self, name: str, seen: set[str]) -> bool:
        group = self.groups.get(name)
        if group is None:
            return name in seen
        return sum(self._witnessed(member, seen) for member in group.members) >= group.needed


class PolicyError(Exception):
    """A policy file is not one; the text names the line."""


def parse_policy(data: bytes) -> Trust:
    """Return what a policy file says."""
    if _FORBIDDEN.search(data):
        raise PolicyError("a policy has no control characters but tab and newline")
    policy = _Policy()
    for number, words in _lines(data.decode("latin-1")):
        try:
            policy.read(words)
        except BadError as error:
            raise PolicyError(f"line {number}: {error}") from None
    if policy.quorum is None:
        raise PolicyError("a policy has a quorum line")
    return Trust(tuple(policy.logs), policy.witnesses, policy.groups, policy.quorum)


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the words of each line; octets above ASCII are opaque, and only space and tab part words."""
    for number, line in enumerate(text.split("\n"), 1):
        words = [word for word in re.split("[ \t]+", line) if word]
        if words and not words[0].startswith("#"):
            yield number, words


class _Policy:
    """A policy while it is read."""

    def __init__(self) -> None:
        self.logs: list[Key] = []
        self.witnesses: dict[str, Key] = {}
        self.groups: dict[str, Group] = {}
        self.quorum: str | None = None
        self._members: set[str] = set()

    def read(self, words: list[str]) -> None:
        """Take a line in."""
        readers: dict[str, tuple[range, Callable[[list[str]], None]]] = {
            "log": (range(1, 3), self._log),
            "witness": (range(2, 4), self._witness),
            "group": (range(3, 1 << 16), self._group),
            "quorum": (range(1, 2), self._quorum),
        }
        lengths, reader = readers.get(words[0], (range(0), self._log))
        if len(words) - 1 not in lengths:
            raise BadError("not a line of a policy")
        reader(words[1:])

    def _log(self, words: list[str]) -> None:
        self.logs.append(_key(words[0], Kind.LOG, self.logs))

    def _witness(self, words: list[str]) -> None:
        self._require_new(words[0])
        self.witnesses[words[0]] = _key(words[1], Kind.WITNESS, list(self.witnesses.values()))

    def _group(self, words: list[str]) -> None:
        name, needed, *members = words
        self._require_new(name)
        for member in members:
            self._require_known(member)
            if member in self._members:
                raise BadError(f"{member} is a member already")
            self._members.add(member)
        counts = {"all": len(members), "any": 1}
        if needed not in counts and not _THRESHOLD.fullmatch(needed):
            raise BadError("a group needs all, any, or a number of its members")
        count = counts.get(needed) or int(needed)
        if count > len(members):
            raise BadError("a group cannot need more members than it has")
        self.groups[name] = Group(count, tuple(members))

    def _quorum(self, words: list[str]) -> None:
        if self.quorum is not None:
            raise BadError("a policy has one quorum line")
        if words[0] != _NONE:
            self._require_known(words[0])
        self.quorum = words[0]

    def _require_new(self, name: str) -> None:
        if name == _NONE or name in self.witnesses or name in self.groups:
            raise BadError(f"{name} is taken")

    def _require_known(self, name: str) -> None:
        if name not in self.witnesses and name not in self.groups:
            raise BadError(f"{name} is not defined above")


def _key(text: str, kind: Kind, others: list[Key]) -> Key:
    key = parse_key(text.encode("latin-1").decode("utf-8", "replace"), kind)
    if key.public in {other.public for other in others}:
        raise BadError("the same key twice")
    return key
