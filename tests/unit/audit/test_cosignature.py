"""What a cosignature is, and which witnesses may be configured."""

from __future__ import annotations

from typing import Any

import pytest

from services.audit.note import NoteError, signed_by
from services.audit.witness.config import WitnessConfig, WitnessesConfig
from services.audit.witness.cosignature import AHEAD, CosignatureError, parse_vkey, read
from tests.support.witness import TestWitness
from tests.unit.audit.world import World


def test_a_witness_that_could_not_be_asked_safely_is_refused(world: World) -> None:
    witness = TestWitness(world.signer.verifier, world.clock)
    good: dict[str, Any] = {"name": "w", "vkey": witness.vkey, "url": "https://witness.example/w"}
    WitnessConfig(**good)
    for wrong in (
        {"url": "http://witness.example/w"},
        {"url": "https://user@witness.example/w"},
        {"url": "ftp://localhost"},
        {"name": "W 1"},
        {"vkey": world.signer.verifier.vkey},
        {"vkey": witness.vkey.replace("w1+", "w2+")},
        {"monitor_url": "http://witness.example/m"},
    ):
        with pytest.raises(ValueError, match=r"url|name|vkey"):
            WitnessConfig(**(good | wrong))
    with pytest.raises(ValueError, match="require"):
        WitnessesConfig((WitnessConfig(**good),), 2)
    for twice in ({}, {"name": "other"}):
        with pytest.raises(ValueError, match="two of one"):
            WitnessesConfig((WitnessConfig(**good), WitnessConfig(**(good | twice))))


def test_only_the_cosigners_own_line_over_this_text_counts(world: World) -> None:
    witness = TestWitness(world.signer.verifier, world.clock)
    cosigner, text, now = parse_vkey(witness.vkey), "a\n1\nx\n", world.clock.now()
    at = int(now.timestamp())
    line = witness.cosign(text, at=at)
    assert read(line, text, cosigner, now) == line.decode().rstrip("\n")
    assert read(witness.cosign(text, at=at + int(AHEAD.total_seconds())), text, cosigner, now)
    stranger = TestWitness(world.signer.verifier, world.clock)
    for lines in (
        b"",
        b"no line\n",
        line[:-1],
        stranger.cosign(text, at=at),
        witness.cosign("b\n1\nx\n", at=at),
        witness.cosign(text, at=at + int(AHEAD.total_seconds()) + 1),
        witness.cosign(text, at=(1 << 64) - 1),
        line + b"\n",
    ):
        with pytest.raises(CosignatureError):
            read(lines, text, cosigner, now)


def test_a_note_is_reduced_to_the_logs_own_signature(world: World) -> None:
    note = world.signer.sign("text\n")
    witness = TestWitness(world.signer.verifier, world.clock)
    assert signed_by(note + witness.cosign("text\n"), world.signer.verifier) == note
    with pytest.raises(NoteError):
        signed_by(b"text\n\n" + witness.cosign("text\n"), world.signer.verifier)
