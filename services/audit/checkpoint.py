"""Checkpoints: the signed head of the tree (c2sp.org/tlog-checkpoint@v1.0.0).

Owns the checkpoint's text. The one place where a head is signed; refuses a step that is not an extension.
"""

import base64
import re
from dataclasses import dataclass

from services.audit.merkle import EMPTY_ROOT
from services.audit.note import NoteError, Signer, Verifier, open_note

_TEXT = re.compile(r"(?P<origin>[^\n]+)\n(?P<size>0|[1-9][0-9]{0,18})\n(?P<root>[A-Za-z0-9+/]{43}=)\n")


class CheckpointError(ValueError):
    """A checkpoint is not well formed, or must not be signed."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log: its origin, how many leaves it has, and their root."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def parse(text: str) -> Checkpoint:
    """Return the checkpoint of a note's text; raise CheckpointError if it is none (extension lines are refused)."""
    found = _TEXT.fullmatch(text)
    if found is None:
        raise CheckpointError("not a checkpoint")
    root = base64.b64decode(found["root"])
    if base64.b64encode(root).decode() != found["root"]:
        raise CheckpointError("not a checkpoint")
    return Checkpoint(found["origin"], int(found["size"]), root)


def open_checkpoint(note: bytes, verifier: Verifier) -> Checkpoint:
    """Return the checkpoint in a note signed by the log `verifier`; raise CheckpointError otherwise."""
    try:
        checkpoint = parse(open_note(note, verifier))
    except NoteError as error:
        raise CheckpointError(str(error)) from None
    if checkpoint.origin != verifier.name:
        raise CheckpointError("the checkpoint is another log's")
    return checkpoint


def sign_next(signer: Signer, last: Checkpoint | None, size: int, root: bytes) -> bytes:
    """Sign the head that follows `last`; raise CheckpointError if it is smaller, or equal in size but not in root."""
    if last is None and (size, root) != (0, EMPTY_ROOT):
        raise CheckpointError("a log begins empty")
    if last is not None and (size < last.size or (size == last.size and root != last.root)):
        raise CheckpointError("the head would not extend the last one")
    return signer.sign(Checkpoint(signer.name, size, root).text)
