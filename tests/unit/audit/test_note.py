"""Signed notes."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from services.audit.note import NoteError, Signer, Verifier, open_note

# The example of c2sp.org/signed-note@v1.0.0.
VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
TEXT = "This is an example message.\n"
NOTE = (
    f"{TEXT}\n\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKu"
    "wHjG1Yu72IneyaQM=\n"
).encode()


@pytest.fixture
def published() -> Verifier:
    material = base64.b64decode(VKEY.split("+", 2)[2])
    return Verifier("example.com/foo", Ed25519PublicKey.from_public_bytes(material[1:]))


@pytest.fixture
def signer() -> Signer:
    return Signer("log.example", Ed25519PrivateKey.generate())


def test_the_specifications_example_opens(published: Verifier) -> None:
    assert published.vkey == VKEY
    assert open_note(NOTE, published) == TEXT


def test_what_is_signed_opens_also_beside_unknown_signatures(signer: Signer) -> None:
    text = "one\n\ntwo\n"
    note = signer.sign(text)
    assert open_note(note, signer.verifier) == text
    unknown = f"\u2014 witness.example {base64.b64encode(bytes(76)).decode()}\n".encode()
    assert open_note(note + unknown * 16, signer.verifier) == text


def test_every_flipped_bit_is_found(signer: Signer) -> None:
    note = signer.sign("log.example\n5\n")
    for at in range(len(note)):
        for bit in (1, 32):
            bent = note[:at] + bytes([note[at] ^ bit]) + note[at + 1 :]
            with pytest.raises(NoteError):
                open_note(bent, signer.verifier)


def test_a_known_key_whose_signature_fails_spoils_the_note(signer: Signer) -> None:
    note = signer.sign("text\n")
    wrong = base64.b64encode(signer.verifier.key_id + bytes(64)).decode()
    with pytest.raises(NoteError):
        open_note(note + f"\u2014 log.example {wrong}\n".encode(), signer.verifier)


@pytest.mark.parametrize("tail", [b"x", b"\n", b"\n\n", b"- log.example AAAA\n", b"\x00", b"\xff"])
def test_nothing_may_follow(signer: Signer, tail: bytes) -> None:
    with pytest.raises(NoteError):
        open_note(signer.sign("text\n") + tail, signer.verifier)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u2003b"])
def test_a_key_name_is_one_word(name: str) -> None:
    with pytest.raises(NoteError):
        Signer(name, Ed25519PrivateKey.generate())


@pytest.mark.parametrize("text", ["no newline", "tab\t\n", "return\r\n"])
def test_only_plain_text_is_signed(signer: Signer, text: str) -> None:
    with pytest.raises(NoteError):
        signer.sign(text)


def test_a_signer_does_not_show_its_key(signer: Signer) -> None:
    assert repr(signer) == "Signer('log.example')"
