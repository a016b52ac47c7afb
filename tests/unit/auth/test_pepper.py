"""The pepper file: its form, its permissions, and that it shows nothing."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest

from services.auth import pepper
from services.auth.pepper import Pepper, PepperError
from services.kit.secret import Secret

KEY = base64.b64encode(b"k" * 32).decode()


def test_a_new_file_is_for_its_owner_only_and_kept_when_there_is_one(tmp_path: Path) -> None:
    path = tmp_path / "pepper.toml"
    pepper.create(path)
    first = path.read_bytes()
    pepper.create(path)
    assert path.read_bytes() == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    pepper.create(tmp_path / "other.toml")
    assert pepper.load(path).current != pepper.load(tmp_path / "other.toml").current


@pytest.mark.parametrize(
    "text",
    [
        "",
        "current = 1",
        'current = "p1"\n[keys]\n',
        f'current = "p2"\n[keys]\np1 = "{KEY}"',
        'current = "p1"\n[keys]\np1 = "c2hvcnQ="',
        'current = "p1"\n[keys]\np1 = "not base64!"',
        'current = "p1"\nkeys = 3',
        f'current = "p1"\n[keys]\np1 = "{KEY}"\nP2 = "{KEY}"',
    ],
)
def test_anything_else_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pepper.toml"
    path.write_text(text)
    with pytest.raises(PepperError) as refused:
        pepper.load(path)
    assert KEY not in str(refused.value)
    assert "c2hvcnQ" not in str(refused.value)


def test_it_mixes_by_key_and_by_purpose() -> None:
    made = Pepper("p1", {"p1": Secret(b"1" * 32), "p2": Secret(b"2" * 32)})
    assert made.mix("p1", b"x") != made.mix("p2", b"x")
    assert made.mix("p1", b"x").hex() != made.blind("x")
    assert "1111" not in repr(vars(made))


def test_the_mix_is_frozen() -> None:
    """Every stored password depends on it."""
    made = Pepper("p1", {"p1": Secret(bytes(range(32)))})
    assert made.mix("p1", b"pale moth under glass").hex() == EXPECTED


EXPECTED = "9ef5af5d0659d92d4c53004d8d9e77eea7b08ee7198ad646d45f7f9dc2f6e632"
