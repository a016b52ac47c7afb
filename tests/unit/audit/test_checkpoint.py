"""Checkpoints."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit.checkpoint import Checkpoint, CheckpointError, open_checkpoint, parse, sign_next
from services.audit.merkle import EMPTY_ROOT
from services.audit.note import Signer

ROOT = base64.b64encode(bytes(32)).decode()


@pytest.fixture
def signer() -> Signer:
    return Signer("log.example", Ed25519PrivateKey.generate())


def test_a_checkpoint_reads_as_it_was_written(signer: Signer) -> None:
    head = Checkpoint("log.example", 20_852_163, bytes(32))
    assert parse(head.text) == head
    assert open_checkpoint(signer.sign(head.text), signer.verifier) == head


@pytest.mark.parametrize(
    "text",
    [
        f"log\n05\n{ROOT}\n",
        f"log\n-5\n{ROOT}\n",
        f"log\n\u0665\n{ROOT}\n",
        f"\n5\n{ROOT}\n",
        f"log\n5\n{ROOT[:-4]}\n",
        f"log\n5\n{ROOT}",
        f"log\n5\n{ROOT}\nextension\n",
        f"log\n5\n{ROOT[:-2]}B=\n" + "x",
        "",
    ],
)
def test_nothing_else_is_a_checkpoint(text: str) -> None:
    with pytest.raises(CheckpointError):
        parse(text)


def test_another_logs_checkpoint_is_not_ours(signer: Signer) -> None:
    with pytest.raises(CheckpointError):
        open_checkpoint(signer.sign(Checkpoint("other.example", 5, bytes(32)).text), signer.verifier)
    stranger = Signer("log.example", Ed25519PrivateKey.generate())
    with pytest.raises(CheckpointError):
        open_checkpoint(stranger.sign(Checkpoint("log.example", 5, bytes(32)).text), signer.verifier)


@pytest.mark.clause("P5")
def test_what_does_not_extend_the_last_head_is_not_signed(signer: Signer) -> None:
    last = Checkpoint("log.example", 5, bytes(32))
    sign_next(signer, last, 5, bytes(32))
    sign_next(signer, last, 6, EMPTY_ROOT)
    sign_next(signer, None, 0, EMPTY_ROOT)
    for head in ((last, 4, bytes(32)), (last, 5, EMPTY_ROOT), (None, 1, bytes(32)), (None, 0, bytes(32))):
        with pytest.raises(CheckpointError):
            sign_next(signer, *head)
