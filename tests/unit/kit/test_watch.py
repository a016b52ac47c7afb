"""What a process remembers of revocations, and for how long."""

from __future__ import annotations

import json
import time
from datetime import timedelta

import pytest
from joserfc.jwk import ECKey, OKPKey

from services.kit.faults import Fault
from services.kit.watch import KEEP_SECONDS, KeySetError, RevocationState
from tests.support.assertions import Signer
from tests.support.clock import FakeClock


def ended(state: RevocationState, session: str) -> bool:
    try:
        state.require_live(session)
    except Fault:
        return True
    return False


@pytest.mark.clause("P8")
def test_a_revocation_is_kept_longer_than_any_assertion_lives() -> None:
    clock = FakeClock()
    state = RevocationState(clock)
    state.revoke("ses_1", clock.now())
    clock.advance(60)
    state.revoke("ses_2", clock.now())
    assert ended(state, "ses_1")
    clock.advance(KEEP_SECONDS - 60 + 0.1)
    state.heard()
    assert not ended(state, "ses_1")
    assert ended(state, "ses_2")


def test_a_revocation_told_again_is_kept_from_then_on() -> None:
    clock = FakeClock()
    state = RevocationState(clock)
    state.revoke("ses_1", clock.now())
    state.revoke("ses_2", clock.now())
    clock.advance(60)
    state.revoke("ses_1", clock.now())
    clock.advance(60)
    state.heard()
    assert ended(state, "ses_1")
    assert not ended(state, "ses_2")


def test_a_stepped_wall_clock_revives_nobody() -> None:
    clock = FakeClock()
    state = RevocationState(clock)
    state.revoke("ses_1", clock.now())
    state.heard()
    clock.set(clock.now() + timedelta(days=1))
    state.heard()
    state.require_fresh()
    assert ended(state, "ses_1")


@pytest.mark.clause("P8")
def test_ten_thousand_revocations_a_minute_cost_little() -> None:
    clock = FakeClock()
    state = RevocationState(clock)
    started = time.perf_counter()
    for number in range(100_000):
        state.revoke(f"ses_{number}", clock.now())
        clock.advance(0.006)
    assert (time.perf_counter() - started) / 100_000 < 0.0001
    assert len(state._revoked) <= KEEP_SECONDS / 0.006 + 1


def test_keys_are_told_when_they_change() -> None:
    clock, told = FakeClock(), list[str]()
    state = RevocationState(clock, told.append)
    first, second = Signer(clock, "k1").jwks, Signer(clock, "k2").jwks
    for jwks in (first, first, second):
        state.replace_keys(jwks)
    assert told == [first, second]
    assert list(state.keys) == ["k2"]


def test_what_is_no_set_of_ed25519_public_keys_is_refused_and_changes_nothing() -> None:
    clock = FakeClock()
    state = RevocationState(clock)
    good = Signer(clock).jwks
    state.replace_keys(good)
    public = OKPKey.generate_key("Ed25519").as_dict(private=False)
    wrong: list[object] = [
        [],
        {"keys": [public]},
        {"keys": [{**OKPKey.generate_key("Ed25519").as_dict(private=True), "kid": "a"}]},
        {"keys": [{**OKPKey.generate_key("Ed448").as_dict(private=False), "kid": "a"}]},
        {"keys": [{**ECKey.generate_key("P-256").as_dict(private=False), "kid": "a"}]},
        {"keys": [{"kty": "oct", "k": "AAAA", "kid": "a"}]},
        {"keys": [{**public, "kid": "a", "x": "!"}]},
    ]
    for jwks in [*map(json.dumps, wrong), "{", ""]:
        with pytest.raises(KeySetError):
            state.replace_keys(jwks)
    assert state.jwks == good
    assert list(state.keys) == ["k1"]
