"""Reading anywhere in a message: what the library wrote is read, and nothing else is."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from hypothesis import given, settings
from hypothesis import strategies as st

from services.files.cobblestone import (
    CHUNK_BYTES,
    HEADER_BYTES,
    MAX_CHUNKS,
    SEALED_BYTES,
    TAG_BYTES,
    DamagedError,
    Decrypter,
    chunks,
    sealed_length,
)
from tests.unit.files import reference

KEY, SALT, CONTEXT = bytes(range(32)), bytes(range(100, 124)), b"a context"
EDGES = [0, 1, 16383, 16384, 16385, 20480, 32767, 32768, 49153]
lengths = st.one_of(st.sampled_from(EDGES), st.integers(0, 3 * CHUNK_BYTES))


def message_of(length: int) -> bytes:
    return hashlib.shake_256(length.to_bytes(4, "big")).digest(length)


def written(message: bytes) -> bytes:
    encryptor = Cobblestone256Encryptor(KEY, CONTEXT)
    return encryptor.update(message) + encryptor.finalize()


def read(sealed: bytes, key: bytes = KEY, context: bytes = CONTEXT) -> bytes:
    """Read a whole message the way a segment does, but without knowing its length."""
    decrypter = Decrypter(key, sealed[:HEADER_BYTES], context)
    return bytes(decrypter.chunks(0, sealed[HEADER_BYTES:], final=True))


@settings(deadline=None)
@given(lengths)
def test_reads_what_the_library_wrote(length: int) -> None:
    message = message_of(length)
    sealed = written(message)
    assert len(sealed) == sealed_length(length)
    assert read(sealed) == message
    assert reference.decrypt(KEY, CONTEXT, sealed) == message


@settings(deadline=None)
@given(lengths)
def test_reads_what_the_plain_reference_wrote(length: int) -> None:
    message = message_of(length)
    sealed = reference.encrypt(KEY, SALT, CONTEXT, message)
    assert read(sealed) == message
    decryptor = Cobblestone256Decryptor(KEY, CONTEXT)
    assert decryptor.update(sealed) + decryptor.finalize() == message


@pytest.mark.parametrize(
    "length, digest",
    [
        (0, "7cdfe9cb3273593afaf12cfb0f4e1846a37b8860a133871e14087558e16748ab"),
        (1, "9aea0163a55bf4d37fad92dba1a932e34a1cdcecb5bd1a7c921f8326907a2173"),
        (16384, "3e97d3d92ed9ed10a487906dbabba7ac30bde8a6cb98927079550558483ab3fd"),
        (40000, "18b16dbdcb951fd14c6bf6f10e871f7d11f0c4ba0fe5ab461822249ddd6b0703"),
    ],
)
def test_the_format_stays_what_it_is(length: int, digest: str) -> None:
    sealed = reference.encrypt(KEY, SALT, CONTEXT, message_of(length))
    assert hashlib.sha256(sealed).hexdigest() == digest
    assert read(sealed) == message_of(length)


@settings(deadline=None)
@given(st.data())
def test_any_run_of_chunks_is_read_alone(data: st.DataObject) -> None:
    length = data.draw(st.integers(0, 6 * CHUNK_BYTES))
    message = message_of(length)
    sealed = written(message)
    first = data.draw(st.integers(0, chunks(length) - 1))
    after = data.draw(st.integers(first + 1, chunks(length)))
    part = sealed[HEADER_BYTES + first * SEALED_BYTES : HEADER_BYTES + after * SEALED_BYTES]
    decrypter = Decrypter(KEY, sealed[:HEADER_BYTES], CONTEXT)
    plain = decrypter.chunks(first, part, final=after == chunks(length))
    assert plain == message[first * CHUNK_BYTES : after * CHUNK_BYTES]


@pytest.mark.clause("P13", "ASVS 11.3.3")
@settings(max_examples=300, deadline=None)
@given(st.sampled_from([0, 1, 16384, 20480, 32768]), st.data())
def test_any_flipped_bit_is_found(length: int, data: st.DataObject) -> None:
    sealed = bytearray(written(message_of(length)))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(DamagedError):
        read(bytes(sealed))


@pytest.mark.clause("P13")
@settings(deadline=None)
@given(st.sampled_from([0, 1, 16384, 20480, 32768]), st.data())
def test_any_cut_is_found(length: int, data: st.DataObject) -> None:
    sealed = written(message_of(length))
    with pytest.raises(DamagedError):
        read(sealed[: data.draw(st.integers(0, len(sealed) - 1))])


@pytest.mark.clause("P13")
@settings(deadline=None)
@given(st.sampled_from([0, 1, 16384, 20480]), st.integers(1, 2 * SEALED_BYTES))
def test_any_extension_is_found(length: int, more: int) -> None:
    sealed = written(message_of(length))
    with pytest.raises(DamagedError):
        read(sealed + sealed[-more:])
    with pytest.raises(DamagedError):
        read(sealed + bytes(more))


@pytest.mark.clause("P13")
def test_chunks_that_changed_places_are_found() -> None:
    sealed = written(message_of(3 * CHUNK_BYTES))
    body = sealed[HEADER_BYTES:]
    pieces = [body[start : start + SEALED_BYTES] for start in range(0, len(body), SEALED_BYTES)]
    for one, other in ((0, 1), (1, 2), (0, 2)):
        swapped = list(pieces)
        swapped[one], swapped[other] = swapped[other], swapped[one]
        with pytest.raises(DamagedError):
            read(sealed[:HEADER_BYTES] + b"".join(swapped))


@pytest.mark.clause("P13")
def test_a_chunk_of_another_message_is_found() -> None:
    one, other = written(message_of(20480)), written(message_of(20480))
    with pytest.raises(DamagedError):
        read(one[: HEADER_BYTES + SEALED_BYTES] + other[HEADER_BYTES + SEALED_BYTES :])
    with pytest.raises(DamagedError):
        read(one[:HEADER_BYTES] + other[HEADER_BYTES:])


def test_key_and_context_are_committed_to() -> None:
    sealed = written(b"x")
    with pytest.raises(DamagedError):
        read(sealed, key=bytes(32))
    with pytest.raises(DamagedError):
        read(sealed, context=b"another context")


def test_a_run_in_the_middle_is_not_taken_for_the_end() -> None:
    sealed = written(message_of(40000))
    decrypter = Decrypter(KEY, sealed[:HEADER_BYTES], CONTEXT)
    full = sealed[HEADER_BYTES : HEADER_BYTES + SEALED_BYTES]
    assert decrypter.chunks(0, full, final=False) == message_of(40000)[:CHUNK_BYTES]
    with pytest.raises(DamagedError):
        decrypter.chunks(0, full, final=True)
    with pytest.raises(DamagedError):
        decrypter.chunks(0, full[:-1], final=False)


def test_there_are_at_most_2_to_the_38_chunks() -> None:
    sealed = written(b"")
    decrypter = Decrypter(KEY, sealed[:HEADER_BYTES], CONTEXT)
    with pytest.raises(DamagedError):
        decrypter.chunks(MAX_CHUNKS, bytes(TAG_BYTES), final=True)


def test_a_header_of_another_length_is_refused() -> None:
    with pytest.raises(DamagedError):
        Decrypter(KEY, bytes(HEADER_BYTES - 1), CONTEXT)
