"""How often somebody may try: what the shipped file says, who is counted where, and who is never locked out."""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.auth.errors import BAD_CREDENTIALS, THROTTLED
from services.auth.throttle import Throttle, Who
from services.auth.throttle_rules import DEFAULT, Action, Consecutive, Limit, Rule, Rules
from services.kit.config import ConfigError, load
from services.kit.faults import OVERLOADED, UNAVAILABLE, Fault, Reason
from tests.support.clock import FakeClock
from tests.support.counters import MemoryCounters

ANNA = Who("anna@example.com", "192.0.2.7")
PHONE = replace(ANNA, device="dev_1")
NOBODY = replace(ANNA, account="nobody@example.com", exists=False)


class Desk:
    """A throttle by the shipped file, with what it counts in."""

    def __init__(self) -> None:
        self.clock, self.counters = FakeClock(), MemoryCounters()
        self.throttle = Throttle(load(Rules, DEFAULT), self.counters, self.counters, self.clock, blind, self)

    async def commit(self) -> None:
        """Commit nothing."""


def blind(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def desk() -> Desk:
    """Nobody has tried yet."""
    return Desk()


async def attempt(desk: Desk, who: Who, *, right: bool = False, action: Action = Action.SIGN_IN) -> Reason | None:
    """Try once; return why it was refused."""
    try:
        async with desk.throttle.attempt(action, who):
            check(right=right)
    except Fault as fault:
        return fault.reason
    return None


def check(*, right: bool) -> None:
    if not right:
        raise Fault(BAD_CREDENTIALS)


async def failures_until_refused(desk: Desk, *attempts: Who) -> int:
    """Fail as these, in turn, until one is refused; returns how many failed."""
    for number in range(2000):
        if await attempt(desk, attempts[number % len(attempts)]) is THROTTLED:
            return number
    raise AssertionError("there is no limit")


def address(number: int) -> str:
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


@pytest.mark.clause("ASVS 6.1.1", "ASVS 6.3.1")
@pytest.mark.parametrize(
    "action, attempts, most",
    [
        (Action.SIGN_IN, [ANNA], 5),
        (Action.SIGN_IN, [replace(ANNA, address=address(number)) for number in range(100)], 10),
        (Action.SIGN_IN, [replace(ANNA, account=f"{number}@example.com") for number in range(100)], 20),
        (Action.SIGN_IN, [Who(f"{number}@example.com", address(number)) for number in range(1500)], 1000),
        (Action.SIGN_IN, [PHONE], 5),
        (Action.SECOND_FACTOR, [replace(ANNA, address=address(number)) for number in range(100)], 5),
        (Action.SECOND_FACTOR, [replace(ANNA, account=f"usr_{number}") for number in range(100)], 10),
        (Action.RECOVER, [ANNA], 5),
        (Action.SIGN_UP, [replace(ANNA, account=f"{number}@example.com") for number in range(200)], 100),
    ],
)
async def test_the_shipped_file_limits_accounts_addresses_pairs_devices_and_all_together(
    desk: Desk, action: Action, attempts: list[Who], most: int
) -> None:
    at_once = [desk.throttle.spend(action, who) for who in (attempts * 10)[: most + 7]]
    results = await asyncio.gather(*at_once, return_exceptions=True)
    assert results[:most] == [None] * most
    for fault in results[most:]:
        assert isinstance(fault, Fault)
        assert fault.reason is THROTTLED
        assert 0 < (fault.retry_after or 0) <= 86400


async def test_several_windows_hold_at_once(desk: Desk) -> None:
    desk.clock.advance(86400 - desk.clock.now().timestamp() % 86400)
    admitted = []
    for minutes in range(0, 24 * 60, 5):
        if not minutes % 60:
            admitted.append(0)
        for _ in range(6):
            admitted[-1] += await attempt(desk, ANNA, action=Action.SECOND_FACTOR) is not THROTTLED
        desk.clock.advance(300)
    assert admitted == [20, 20, 10, *[0] * 21]
    assert await attempt(desk, ANNA, action=Action.SECOND_FACTOR) is not THROTTLED


async def test_success_is_not_counted_and_takes_back_no_failure(desk: Desk) -> None:
    for _ in range(4):
        assert await attempt(desk, ANNA) is BAD_CREDENTIALS
        for _ in range(7):
            assert await attempt(desk, ANNA, right=True) is None
    assert await failures_until_refused(desk, ANNA) == 1


async def test_honest_attempts_at_once_are_all_admitted(desk: Desk) -> None:
    """Each waits for those in flight: they may succeed."""
    going = 0

    async def sign_in() -> None:
        nonlocal going
        async with desk.throttle.attempt(Action.SIGN_IN, ANNA):
            going += 1
            assert going <= 5
            await asyncio.sleep(0.01)
            going -= 1

    await asyncio.gather(*(sign_in() for _ in range(25)))


async def test_wrong_attempts_at_once_are_admitted_up_to_the_limit_and_the_others_refused(desk: Desk) -> None:
    async def guess() -> None:
        async with desk.throttle.attempt(Action.SIGN_IN, ANNA):
            await asyncio.sleep(0.01)
            raise Fault(BAD_CREDENTIALS)

    async with asyncio.timeout(10):
        results = await asyncio.gather(*(guess() for _ in range(25)), return_exceptions=True)
    reasons = [result.reason for result in results if isinstance(result, Fault)]
    assert (reasons.count(BAD_CREDENTIALS), reasons.count(THROTTLED)) == (5, 20)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=14), st.randoms(use_true_random=False))
def test_however_right_and_wrong_mix_no_more_than_the_limit_fail_and_no_right_one_before_is_refused(
    rights: list[bool], chance: random.Random
) -> None:
    async def mix() -> None:
        desk = Desk()

        async def one(*, right: bool) -> Reason | None:
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
            return await attempt(desk, ANNA, right=right)

        outcomes = await asyncio.gather(*(one(right=right) for right in rights))
        wrong = rights.count(False)
        assert outcomes.count(BAD_CREDENTIALS) == min(wrong, 5)
        if wrong < 5:
            assert THROTTLED not in outcomes

    asyncio.run(mix())


async def test_a_caller_that_leaves_stays_counted_and_keeps_nobody_waiting(desk: Desk) -> None:
    async def leave() -> None:
        async with desk.throttle.attempt(Action.SIGN_IN, ANNA):
            await asyncio.sleep(60)

    leaving = [asyncio.create_task(leave()) for _ in range(5)]
    await asyncio.sleep(0.1)
    waiting = asyncio.create_task(attempt(desk, ANNA, right=True))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    for task in leaving:
        task.cancel()
    assert await asyncio.wait_for(waiting, 5) is THROTTLED


async def test_what_is_refused_is_counted_for_nobody(desk: Desk) -> None:
    await failures_until_refused(desk, ANNA)
    for _ in range(30):
        assert await attempt(desk, ANNA) is THROTTLED
    assert await failures_until_refused(desk, replace(ANNA, address="198.51.100.1")) == 5
    assert await failures_until_refused(desk, *(replace(ANNA, account=f"{n}@example.com") for n in range(50))) == 15


@pytest.mark.clause("ASVS 6.1.1", "P9")
async def test_a_known_device_gets_in_whatever_strangers_have_used_up(desk: Desk) -> None:
    await failures_until_refused(desk, *(replace(ANNA, address=address(number)) for number in range(20)))
    await failures_until_refused(desk, *(Who(f"{number}@example.com", address(number)) for number in range(1500)))
    assert await attempt(desk, ANNA, right=True) is THROTTLED
    assert await attempt(desk, PHONE, right=True) is None
    assert await failures_until_refused(desk, PHONE) == 5
    assert await attempt(desk, replace(PHONE, device="dev_2"), right=True) is None


async def strangers_fail(desk: Desk, who: Who, most: int = 200) -> int:
    """Fail as patient strangers at ever new addresses; returns how many failures were admitted."""
    admitted = 0
    for number in range(most):
        if await attempt(desk, replace(who, address=address(number))) is not THROTTLED:
            admitted += 1
        if number % 5 == 4:
            desk.clock.advance(300)
    return admitted


@pytest.mark.clause("NIST 800-63B-4 3.2.2", "ASVS 6.1.1")
async def test_failures_in_a_row_shut_out_strangers_then_devices_and_never_reach_a_hundred(desk: Desk) -> None:
    assert await strangers_fail(desk, ANNA) == 60
    desk.clock.advance(400 * 86400)
    assert await attempt(desk, ANNA, right=True) is THROTTLED
    devices = 0
    for number in range(200):
        devices += await attempt(desk, replace(PHONE, device=f"dev_{number}")) is not THROTTLED
    assert devices == 30
    assert await attempt(desk, PHONE, right=True) is THROTTLED
    await desk.throttle.reopen(ANNA.account)
    assert await attempt(desk, ANNA, right=True) is None


@pytest.mark.clause("NIST 800-63B-4 3.2.2", "P9")
async def test_the_owner_ends_the_series_from_a_known_device(desk: Desk) -> None:
    await strangers_fail(desk, ANNA)
    assert await attempt(desk, PHONE, right=True) is None
    assert await attempt(desk, ANNA, right=True) is None
    assert await strangers_fail(desk, ANNA) == 60


async def test_what_is_our_own_fault_is_no_failure_in_a_row(desk: Desk) -> None:
    for reason in (OVERLOADED, UNAVAILABLE):
        for number in range(70):
            with pytest.raises(Fault):
                async with desk.throttle.attempt(Action.SIGN_IN, replace(ANNA, address=address(number))):
                    raise Fault(reason)
            desk.clock.advance(300)
    assert await attempt(desk, ANNA, right=True) is None


@pytest.mark.clause("ASVS 6.3.8")
async def test_accounts_that_do_not_exist_are_shut_out_after_as_many_and_fill_no_disk(desk: Desk) -> None:
    assert await strangers_fail(desk, NOBODY) == 60
    for number in range(300):
        await attempt(desk, Who(f"{number}@example.com", address(number), exists=False))
    names = [name for name in desk.counters.counts if name.startswith("nobody-")]
    assert 200 < len(names) <= 301
    assert {len(name) for name in names} == {len("nobody-") + 4}  # 65,536 at most
    desk.counters.sweep(desk.clock.now() + timedelta(days=30, seconds=1))
    assert not [name for name in desk.counters.counts if name.startswith("nobody-")]


@pytest.mark.clause("ASVS 15.3.4")
async def test_in_ipv6_a_network_is_one_client(desk: Desk) -> None:
    one = [replace(ANNA, address=f"2001:db8:1:2:{number:x}::1") for number in range(50)]
    assert await failures_until_refused(desk, *one) == 5
    assert await attempt(desk, replace(ANNA, address="2001:db8:1:3::1")) is BAD_CREDENTIALS


async def test_counters_name_nobody(desk: Desk) -> None:
    await attempt(desk, ANNA)
    assert len(desk.counters.counts) == 5
    assert all(re.fullmatch(r"[0-9a-f]{64}", name) for name in desk.counters.counts)


SHIPPED = DEFAULT.read_text("utf-8")


@pytest.mark.clause("NIST 800-63B-4 3.2.2")
@pytest.mark.parametrize(
    "old, new",
    [
        ("owners = 90", "owners = 100"),
        ("strangers = 60", "strangers = 90"),
        ("strangers = 60", "strangers = 0"),
        ("[sign_in.consecutive]", "[recover.consecutive]"),
        ("[mail]", "[post]"),
        ("[recover]", "[recover]\naccounts = []"),
        ("{ count = 10, seconds = 300 }]    # [W] user", "{ count = 0, seconds = 300 }]    # [W] user"),
        ("{ count = 10, seconds = 300 }]    # [W] user", "{ count = 10, minutes = 5 }]    # [W] user"),
        ("{ count = 10, seconds = 300 }]    # [W] user", "]    # [W] user"),
    ],
)
def test_a_file_that_is_not_whole_or_too_weak_is_refused(tmp_path: Path, old: str, new: str) -> None:
    assert SHIPPED.count(old) == 1
    path = tmp_path / "throttle.toml"
    path.write_text(SHIPPED.replace(old, new))
    with pytest.raises(ConfigError):
        load(Rules, path)


def test_every_limit_in_the_shipped_file_says_where_it_comes_from() -> None:
    lines = [line for line in SHIPPED.splitlines() if re.match(r"(?!#).*\b(count =|strangers =|owners =)", line)]
    assert len(lines) > 20
    for line in lines:
        assert line.partition("#")[2].strip(), line


def test_a_rule_without_a_limit_per_device_locks_owners_out_and_is_refused() -> None:
    rule = Rule(account=(Limit(1, 1),))
    good = Rule(account=(Limit(1, 1),), device=(Limit(1, 1),), consecutive=Consecutive(60, 90))
    with pytest.raises(ValueError, match="device"):
        Rules(sign_in=good, sign_up=rule, recover=rule, second_factor=good, mail=rule, link=rule)
