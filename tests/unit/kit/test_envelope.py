"""Sealing: what opens, and what does not."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from services.kit.envelope import SealError, context, seal, unseal

KEY, OTHER = bytes(range(32)), bytes(32)
PARTS = st.lists(st.one_of(st.text(max_size=8), st.binary(max_size=8)), max_size=4)


@given(st.binary(max_size=200), PARTS)
def test_what_is_sealed_opens(plaintext: bytes, parts: list[str | bytes]) -> None:
    bound = context("valv/test/v1", *parts)
    blob = seal(KEY, plaintext, bound)
    assert unseal(KEY, blob, bound) == plaintext
    assert len(blob) == 1 + 12 + len(plaintext) + 16


@pytest.mark.clause("P13", "ASVS 11.3.3")
def test_it_opens_under_its_key_in_its_context_and_unchanged_only() -> None:
    bound = context("valv/test/v1", "usr_1")
    blob = seal(KEY, b"body", bound)
    wrong = [(OTHER, blob, bound), (KEY, blob, context("valv/test/v1", "usr_2")), (KEY, blob, b"")]
    wrong += [(KEY, blob[:size], bound) for size in range(len(blob))]
    wrong += [(KEY, blob[:at] + bytes((blob[at] ^ 128,)) + blob[at + 1 :], bound) for at in range(len(blob))]
    for arguments in (*wrong, (KEY, blob + b"\x00", bound)):
        with pytest.raises(SealError):
            unseal(*arguments)


def test_no_nonce_is_used_twice() -> None:
    assert len({seal(KEY, b"", b"")[1:13] for _ in range(1000)}) == 1000


def test_the_format_is_frozen() -> None:
    """0x01, 12 bytes of nonce, AES-256-GCM with the context as associated data: anyone can implement it."""
    bound = context("valv/test/v1", "a", b"bc")
    assert bound == b"\x00\x00\x00\x0cvalv/test/v1\x00\x00\x00\x01a\x00\x00\x00\x02bc"
    blob = seal(KEY, b"body", bound)
    assert blob[0] == 1
    assert AESGCM(KEY).decrypt(blob[1:13], blob[13:], bound) == b"body"
    known = bytes.fromhex("01" + "000102030405060708090a0b") + AESGCM(KEY).encrypt(bytes(range(12)), b"old", bound)
    assert unseal(KEY, known, bound) == b"old"


@given(PARTS, PARTS)
def test_two_lists_of_parts_never_read_the_same(one: list[str | bytes], other: list[str | bytes]) -> None:
    def plain(parts: list[str | bytes]) -> list[bytes]:
        return [part.encode() if isinstance(part, str) else part for part in parts]

    assert (context("l", *one) == context("l", *other)) == (plain(one) == plain(other))


@pytest.mark.parametrize("key", [b"", bytes(16), bytes(31), bytes(33)])
def test_a_key_is_32_bytes(key: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        seal(key, b"", b"")
    with pytest.raises(ValueError, match="32 bytes"):
        unseal(key, seal(KEY, b"", b""), b"")
