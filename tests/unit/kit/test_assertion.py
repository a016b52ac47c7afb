"""Who is let in by an assertion, and until when exactly."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OctKey, OKPKey

from services.kit import assertion as subject
from services.kit.assertion import Assertion, AssertionVerifier
from services.kit.faults import REVOCATION_UNKNOWN, SESSION_ENDED, UNAUTHENTICATED, Fault, Reason
from services.kit.watch import RevocationState
from tests.support.assertions import AUDIENCE, CUSTOMER, ISSUER, SESSION, Signer
from tests.support.clock import FakeClock


class World:
    """A verifier that follows auth, and auth's key."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.signer = Signer(self.clock)
        self.state = RevocationState(self.clock)
        self.verifier = AssertionVerifier(self.state, self.clock, ISSUER, AUDIENCE)
        self.state.replace_keys(self.signer.jwks)
        self.state.heard()

    def later(self, seconds: float) -> None:
        """Let time pass while auth is heard."""
        self.clock.advance(seconds)
        self.state.heard()

    def refusal(self, token: str) -> Reason:
        with pytest.raises(Fault) as caught:
            self.verifier.verify(token)
        return caught.value.reason


@pytest.fixture
def world() -> World:
    return World()


def test_a_good_assertion_says_who_and_until_when(world: World) -> None:
    found = world.verifier.verify(world.signer.sign())
    now = world.clock.now()
    assert (found.subject, found.session, found.amr) == (CUSTOMER, SESSION, ("pwd",))
    assert (found.issued, found.expires) == (now, now + timedelta(seconds=30))
    assert (found.ends, found.auth_time) == (now + timedelta(seconds=1800.25), now - timedelta(seconds=60))


@pytest.mark.clause("P7")
def test_it_is_good_for_thirty_seconds_and_not_a_moment_longer(world: World) -> None:
    token = world.signer.sign()
    world.later(29.999)
    world.verifier.verify(token)
    world.later(0.001)
    assert world.refusal(token) is UNAUTHENTICATED
    assert world.refusal(token) is UNAUTHENTICATED  # not cached either


@pytest.mark.clause("P7", "ASVS 7.3.1")
def test_the_sessions_end_counts_before_the_assertions(world: World) -> None:
    token = world.signer.sign(world.signer.claims(ends=world.clock.now().timestamp() + 7.5))
    found = world.verifier.verify(token)
    world.later(7.499)
    world.verifier.verify(token)
    world.verifier.live(found)
    world.later(0.001)
    assert world.refusal(token) is SESSION_ENDED
    with pytest.raises(Fault, match="SESSION_ENDED"):
        world.verifier.live(found)


def test_a_transfer_may_outlive_the_assertion_but_not_the_session(world: World) -> None:
    found = world.verifier.verify(world.signer.sign())
    world.later(1800.249)
    world.verifier.live(found)
    world.later(0.001)
    with pytest.raises(Fault, match="SESSION_ENDED"):
        world.verifier.live(found)


@pytest.mark.clause("P8", "ASVS 7.4.1")
def test_a_revoked_session_is_refused_at_once_also_when_cached(world: World) -> None:
    token = world.signer.sign()
    found = world.verifier.verify(token)
    world.state.revoke(SESSION, world.clock.now())
    assert world.refusal(token) is SESSION_ENDED
    assert world.refusal(world.signer.sign(world.signer.claims(auth_time=1))) is SESSION_ENDED
    with pytest.raises(Fault, match="SESSION_ENDED"):
        world.verifier.live(found)


@pytest.mark.clause("P8")
def test_nobody_is_let_in_while_auth_is_silent(world: World) -> None:
    token = world.signer.sign()
    found = world.verifier.verify(token)
    world.clock.advance(5)
    world.verifier.verify(token)
    world.clock.advance(0.001)
    assert world.refusal(token) is REVOCATION_UNKNOWN
    with pytest.raises(Fault) as caught:
        world.verifier.live(found)
    assert caught.value.retry_after == 1
    world.state.heard()
    world.verifier.verify(token)


def test_a_process_that_never_heard_auth_lets_nobody_in() -> None:
    clock = FakeClock()
    verifier = AssertionVerifier(RevocationState(clock), clock, ISSUER, AUDIENCE)
    with pytest.raises(Fault, match="REVOCATION_UNKNOWN"):
        verifier.verify(Signer(clock).sign())


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://localhost:8444"},
        {"aud": "other"},
        {"aud": ["valv"]},
        {"exp": 2**31},
        {"exp": "1795350156"},
        {"iat": True},
        {"iat": 1.5},
        {"sub": "usr_1"},
        {"sub": SESSION},
        {"sid": CUSTOMER},
        {"ends": "never"},
        {"ends": True},
        {"ends": 1e300},
        {"ends": float("inf")},
        {"ends": float("nan")},
        {"amr": "pwd"},
        {"amr": [1]},
        *({name: None} for name in ("iss", "aud", "sub", "sid", "iat", "exp", "ends", "auth_time", "amr")),
    ],
    ids=str,
)
def test_claims_that_are_not_auths_are_refused(world: World, changed: dict[str, object]) -> None:
    assert world.refusal(world.signer.sign(world.signer.claims(**changed))) is UNAUTHENTICATED


@pytest.mark.clause("ASVS 9.1.2")
@pytest.mark.parametrize(
    "header",
    [
        {"kid": "k2"},
        {"kid": None},
        {"typ": None},
        {"typ": "at+jwt"},
        {"crit": ["exp"]},
        {"jku": "https://evil.example/keys"},
        {"b64": True},
    ],
    ids=str,
)
def test_other_headers_are_refused(world: World, header: dict[str, object]) -> None:
    assert world.refusal(world.signer.sign(header=header)) is UNAUTHENTICATED


@pytest.mark.clause("ASVS 9.1.1", "ASVS 9.1.2")
def test_other_keys_and_algorithms_are_refused(world: World) -> None:
    signer = world.signer
    public = OctKey.import_key(str(signer.key.as_dict(private=False)["x"]))
    forged = [
        signer.sign(key=OKPKey.generate_key("Ed25519")),
        signer.sign(key=OKPKey.generate_key("Ed448")),
        signer.sign(header={"alg": "ES256"}, key=ECKey.generate_key("P-256")),
        signer.sign(header={"alg": "HS256"}, key=public),
        _unsigned(signer),
        signer.sign() + "x",
        signer.sign().rsplit(".", 1)[0] + ".",
    ]
    assert {world.refusal(token) for token in forged} == {UNAUTHENTICATED}


def _unsigned(signer: Signer) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none', 'typ': 'JWT', 'kid': 'k1'})}.{part(signer.claims())}."


def test_any_changed_character_is_refused(world: World) -> None:
    token = world.signer.sign()
    for index, char in enumerate(token):
        if char != "." and index != len(token) - 1:  # the last one's low bits are padding
            assert world.refusal(token[:index] + ("A" if char != "A" else "B") + token[index + 1 :]) is UNAUTHENTICATED


@given(st.one_of(st.text(), st.from_regex(r"[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*", fullmatch=True)))
def test_garbage_is_refused_as_such(token: str) -> None:
    assert World().refusal(token) is UNAUTHENTICATED


def test_a_nested_or_endless_token_is_refused(world: World) -> None:
    nested = base64.urlsafe_b64encode(b"[" * 2990).decode()
    assert world.refusal(f"{nested}.e30.e30") is UNAUTHENTICATED
    assert world.refusal("a" * 1_000_000) is UNAUTHENTICATED


def test_a_key_that_is_withdrawn_takes_its_assertions_with_it(world: World) -> None:
    token = world.signer.sign()
    world.verifier.verify(token)
    world.state.replace_keys(Signer(world.clock, "k2").jwks)
    assert world.refusal(token) is UNAUTHENTICATED


def test_the_signature_is_checked_once_and_the_cache_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []
    read = world.verifier._read

    def reading(token: str) -> Assertion:
        checked.append(token)
        return read(token)

    monkeypatch.setattr(world.verifier, "_read", reading)
    monkeypatch.setattr(subject, "CACHED", 3)
    tokens = [world.signer.sign(world.signer.claims(auth_time=number)) for number in range(4)]
    for token in (*tokens[:3], *tokens[:3], tokens[3]):
        world.verifier.verify(token)
    assert checked == tokens
    assert len(world.verifier._known) == 3
    world.verifier.verify(tokens[0])  # the longest unused was dropped
    assert checked == [*tokens, tokens[0]]


def test_times_are_aware_utc(world: World) -> None:
    found = world.verifier.verify(world.signer.sign())
    assert found.ends.tzinfo is UTC
    assert found.ends > datetime(2026, 1, 1, tzinfo=UTC)
