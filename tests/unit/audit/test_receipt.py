"""Receipts and leaves."""

from __future__ import annotations

import base64
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit import leaf, receipt
from services.audit.checkpoint import Checkpoint
from services.audit.merkle import ProofError, leaf_hash
from services.audit.note import Signer
from services.audit.receipt import Opening
from services.audit.tree import Edge

OPENING = Opening(bytes(range(32)), b'{"v":1}')


def test_a_leaf_is_what_the_decision_record_says() -> None:
    expected = b"\x01" + sha256(b"valv/leaf/v1" + bytes(range(32)) + b'{"v":1}').digest()
    assert leaf.entry(bytes(range(32)), b'{"v":1}') == expected == OPENING.entry


@pytest.mark.parametrize("salt", [b"", bytes(31), bytes(33)])
def test_a_salt_has_32_bytes(salt: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        leaf.entry(salt, b"{}")


def test_a_receipt_is_a_tlog_proof() -> None:
    signer = Signer("log.example", Ed25519PrivateKey.generate())
    edge = Edge().grow([b"other", OPENING.entry]).edge
    head = Checkpoint("log.example", 2, edge.root())
    note = signer.sign(head.text)
    proof = [leaf_hash(b"other")]
    lines = receipt.write(OPENING, 1, proof, note, head).decode().split("\n")
    extra = base64.b64encode(b"\x01" + OPENING.salt + OPENING.event).decode()
    assert lines[:5] == [
        "c2sp.org/tlog-proof@v1",
        f"extra {extra}",
        "index 1",
        base64.b64encode(proof[0]).decode(),
        "",
    ]
    assert "\n".join(lines[5:]).encode() == note


def test_a_receipt_that_does_not_verify_is_not_written() -> None:
    head = Checkpoint("log.example", 2, bytes(32))
    with pytest.raises(ProofError):
        receipt.write(OPENING, 1, [bytes(32)], b"", head)
