"""Assertions: the frozen claims, as every service's verifier reads them."""

from __future__ import annotations

import base64
import json
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from joserfc.jwk import OKPKey

from services.auth import assertions
from services.auth.assertions import AssertionSigner, SigningKeyError, milliseconds
from services.auth.sessions import Session
from services.kit.assertion import AssertionVerifier
from services.kit.faults import SESSION_ENDED, Fault
from services.kit.watch import RevocationState
from tests.support.clock import START, FakeClock

ISSUER = "https://localhost:8443"
SESSION = Session(
    session_id="ses_01jd9xk8w0q2m3n4p5r6s7t8v9",
    account_id="usr_01jd9xk8w0q2m3n4p5r6s7t8v9",
    opened=START - timedelta(seconds=100),
    closes=START + timedelta(hours=12),
    active=START,
    amr=("pwd",),
)


@pytest.fixture
def signer(tmp_path: Path) -> AssertionSigner:
    path = tmp_path / "signing.json"
    assertions.create(path)
    return AssertionSigner(assertions.load(path), ISSUER, "valv")


def part(token: str, index: int) -> dict[str, object]:
    text = token.split(".")[index]
    return dict(json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))))


def test_the_claims_are_frozen(signer: AssertionSigner) -> None:
    now = START + timedelta(microseconds=900_000)
    token = signer.sign(SESSION, START + timedelta(seconds=1800, microseconds=123_999), now).token.text()
    seconds = int(START.timestamp())
    assert part(token, 1) == {
        "iss": ISSUER,
        "aud": "valv",
        "sub": SESSION.account_id,
        "sid": SESSION.session_id,
        "iat": seconds,
        "exp": seconds + 30,
        "ends": seconds + 1800.123,
        "auth_time": seconds - 100,
        "amr": ["pwd"],
    }
    kid = json.loads(signer.jwks)["keys"][0]["kid"]
    assert part(token, 0) == {"alg": "EdDSA", "typ": "JWT", "kid": kid}


@pytest.mark.clause("P7")
def test_every_service_reads_the_end_to_the_millisecond(signer: AssertionSigner) -> None:
    clock = FakeClock()
    state = RevocationState(clock)
    state.replace_keys(signer.jwks)
    state.heard()
    verifier = AssertionVerifier(state, clock, ISSUER, "valv")
    ends = START + timedelta(milliseconds=4250)
    token = signer.sign(SESSION, ends, clock.now()).token.text()
    assert verifier.verify(token).ends == ends
    clock.advance(4.249)
    assert verifier.verify(token).session == SESSION.session_id
    clock.advance(0.001)
    with pytest.raises(Fault) as refused:
        verifier.verify(token)
    assert refused.value.reason is SESSION_ENDED


def test_the_end_is_rounded_down_never_up() -> None:
    assert milliseconds(START + timedelta(microseconds=1999)) == int(START.timestamp()) * 1000 + 1


def test_the_first_key_signs_and_all_are_published_without_their_secrets() -> None:
    keys = [OKPKey.generate_key("Ed25519"), OKPKey.generate_key("Ed25519")]
    signer = AssertionSigner(keys, ISSUER, "valv")
    published = json.loads(signer.jwks)["keys"]
    assert [key["kid"] for key in published] == [key.thumbprint() for key in keys]
    assert not any("d" in key for key in published)
    assert part(signer.sign(SESSION, START, START).token.text(), 0)["kid"] == keys[0].thumbprint()


def test_a_new_key_file_is_for_its_owner_only_and_kept_when_there_is_one(tmp_path: Path) -> None:
    path = tmp_path / "signing.json"
    assertions.create(path)
    first = path.read_bytes()
    assertions.create(path)
    assert path.read_bytes() == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"keys": []}',
        '{"keys": 7}',
        '{"keys": [{"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0"}]}',
        json.dumps({"keys": [OKPKey.generate_key("Ed25519").as_dict(private=False)]}),
        json.dumps({"keys": [OKPKey.generate_key("X25519").as_dict(private=True)]}),
    ],
    ids=range(7),  # two hold random keys, and pytest-xdist compares names
)
def test_anything_else_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "signing.json"
    path.write_text(text)
    with pytest.raises(SigningKeyError) as refused:
        assertions.load(path)
    assert "c2VjcmV0" not in str(refused.value)
