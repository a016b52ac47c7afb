"""Receipts: c2sp.org/tlog-proof files whose `extra` opens the leaf.

Owns the receipt's text; extra = 0x01 ‖ salt (32 bytes) ‖ event. Never hands out a receipt that does not verify.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from services.audit import leaf, merkle
from services.audit.checkpoint import Checkpoint

HEADER = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class Opening:
    """What opens a leaf: its salt and its event."""

    salt: bytes
    event: bytes

    @property
    def entry(self) -> bytes:
        """The log's entry."""
        return leaf.entry(self.salt, self.event)

    @property
    def extra(self) -> bytes:
        """The receipt's extra data."""
        return leaf.VERSION + self.salt + self.event


def write(opening: Opening, index: int, proof: Sequence[bytes], note: bytes, head: Checkpoint) -> bytes:
    """Return the receipt of the entry at `index` under the signed `note`, whose checkpoint is `head`.

    Raises:
        ProofError: The proof does not lead from this entry to this head.
    """
    merkle.check_inclusion(merkle.leaf_hash(opening.entry), index, head.size, proof, head.root)
    lines = [HEADER, f"extra {_text(opening.extra)}", f"index {index}", *(_text(node) for node in proof), ""]
    return "\n".join(lines).encode() + b"\n" + note


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
