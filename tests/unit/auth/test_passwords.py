"""Hashing: the parameters, the pepper, one composition, and the same work when there is nothing to check."""

from __future__ import annotations

import asyncio
import os
import time
import unicodedata

import pytest
from argon2 import PasswordHasher
from hypothesis import given, settings
from hypothesis import strategies as st

from services.auth.errors import BAD_CREDENTIALS
from services.auth.hash_pool import HashPool
from services.auth.password_policy import PasswordPolicy
from services.auth.passwords import Parameters, PasswordHash, Passwords
from services.auth.pepper import Pepper
from services.kit.faults import Fault
from services.kit.secret import Secret
from tests.unit.auth.world import World


async def check(world: World, password: str, stored: PasswordHash | None) -> bool:
    with world.passwords.desk() as desk:
        return await desk.check(Secret(password), stored)


async def make(world: World, password: str) -> PasswordHash:
    with world.passwords.desk() as desk:
        return await desk.hash(Secret(password))


@pytest.mark.clause("ASVS 11.4.2", "P6")
async def test_a_hash_is_argon2id_at_the_promised_parameters(world: World) -> None:
    stored = await make(world, "pale moth under glass")
    assert stored.parameters == "$argon2id$v=19$m=19456,t=2,p=1"
    _, salt, tag = stored.digest.split("$")
    assert (len(salt), len(tag)) == (22, 43)  # 16 and 32 bytes
    assert stored.digest not in repr(stored)
    assert await check(world, "pale moth under glass", stored) is False


async def test_two_hashes_of_one_password_differ(world: World) -> None:
    assert await make(world, "pale moth under glass") != await make(world, "pale moth under glass")


@pytest.mark.parametrize("wrong", ["pale moth under glas", "Pale moth under glass", "pale moth under glass ", "x"])
async def test_nothing_but_the_password_passes(world: World, wrong: str) -> None:
    stored = await make(world, "pale moth under glass")
    with pytest.raises(Fault) as refused:
        await check(world, wrong, stored)
    assert refused.value.reason is BAD_CREDENTIALS
    assert refused.value.__suppress_context__


async def test_composed_and_decomposed_letters_are_one_password(world: World) -> None:
    stored = await make(world, "påle möth under glass")
    assert await check(world, "pa\u030ale mo\u0308th under glass", stored) is False


async def test_an_overlong_password_is_refused_and_not_cut(world: World) -> None:
    long = "".join(chr(0x4E00 + n) for n in range(256))
    stored = await make(world, long)
    assert await check(world, long, stored) is False
    with pytest.raises(Fault):
        await check(world, long + "x", stored)


@pytest.mark.clause("ASVS 6.2.8", "ASVS 6.2.9", "NIST 800-63B-4 3.1.1.2")
@settings(max_examples=12, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=15, max_size=250), st.integers(0, 249))
def test_a_password_is_checked_as_it_was_set_to_the_last_code_point(password: str, at: int) -> None:
    """In every spelling of Unicode the same; with one character more, less or other, another one."""
    peppers = Pepper("p1", {"p1": Secret(b"1" * 32)})
    pool = HashPool(1, 0)
    passwords = Passwords(Parameters(), peppers, pool, os.urandom, PasswordPolicy("Valv"))

    async def differ() -> None:
        with passwords.desk() as desk:
            stored = await desk.hash(Secret(unicodedata.normalize("NFC", password)))
            assert await desk.check(Secret(unicodedata.normalize("NFD", password)), stored) is False
            place = at % len(password)
            for other in (password + "x", password[:-1], password[:place] + "\u2603" + password[place + 1 :]):
                if unicodedata.normalize("NFC", other) != unicodedata.normalize("NFC", password):
                    with pytest.raises(Fault):
                        await desk.check(Secret(other), stored)

    asyncio.run(differ())
    pool.close()


@pytest.mark.clause("ASVS 6.3.8")
async def test_checking_against_nothing_is_the_same_work(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = await make(world, "pale moth under glass")
    work = []
    verify = PasswordHasher.verify

    def counted(hasher: PasswordHasher, against: str, mixed: bytes) -> bool:
        work.append((against.split("$")[:4], len(mixed)))
        return verify(hasher, against, mixed)

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    for against in (stored, None):
        with pytest.raises(Fault):
            await check(world, "something else entirely", against)
    assert len(work) == 2
    assert work[0] == work[1]


async def test_without_its_pepper_a_stolen_hash_cannot_be_checked(world: World) -> None:
    stored = await make(world, "pale moth under glass")
    world.passwords = world.make_passwords(Pepper("p1", {"p1": Secret(b"x" * 32)}))
    with pytest.raises(Fault):
        await check(world, "pale moth under glass", stored)


async def test_a_lost_pepper_key_refuses_like_a_wrong_password(world: World) -> None:
    stored = await make(world, "pale moth under glass")
    world.passwords = world.make_passwords(Pepper("p9", {"p9": Secret(b"9" * 32)}))
    with pytest.raises(Fault) as refused:
        await check(world, "pale moth under glass", stored)
    assert refused.value.reason is BAD_CREDENTIALS


@pytest.mark.parametrize(
    "stored", [PasswordHash("$argon2id$v=19$m=19456,t=2,p=1", "$x", "p1"), PasswordHash("", "", "p1")]
)
async def test_a_broken_hash_passes_nobody(world: World, stored: PasswordHash) -> None:
    with pytest.raises(Fault) as refused:
        await check(world, "pale moth under glass", stored)
    assert refused.value.reason is BAD_CREDENTIALS


@pytest.mark.parametrize("parameters", [{"memory_kib": 19455}, {"time_cost": 1}, {"parallelism": 2}])
def test_parameters_below_the_floor_cannot_be_configured(parameters: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="floor"):
        Parameters(**parameters)


async def test_hashing_leaves_the_loop_free(world: World) -> None:
    """Session checks go on while the pool is full: the loop is never held for as long as a hash takes."""
    stored = await make(world, "pale moth under glass")
    longest, stop = 0.0, False

    async def beat() -> None:
        nonlocal longest
        while not stop:
            begun = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - begun)

    beating = asyncio.create_task(beat())
    begun = time.perf_counter()
    await asyncio.gather(*(check(world, "pale moth under glass", stored) for _ in range(12)))
    whole = time.perf_counter() - begun
    stop = True
    await beating
    assert longest < whole / 2
