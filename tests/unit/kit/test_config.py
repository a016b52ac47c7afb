"""Configuration is strict: what is not known, missing or of another type stops the start and echoes no value."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from services.kit.config import ConfigError, Profile, ServiceConfig, load


@dataclass(frozen=True)
class _Config:
    service: ServiceConfig
    secret: Path
    limits: dict[str, float] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    note: str | None = None


_GOOD = """
secret = "keys/secret"
names = ["a", "b"]
[service]
listen = "127.0.0.1:1"
profile = "development"
[limits]
fast = 3
"""


def _load(folder: Path, text: str) -> _Config:
    path = folder / "config.toml"
    path.write_text(text)
    return load(_Config, path)


def test_a_good_file_becomes_a_frozen_configuration(tmp_path: Path) -> None:
    config = _load(tmp_path, _GOOD)
    assert config.secret == tmp_path / "keys/secret"
    assert config.service.profile is Profile.DEVELOPMENT
    assert config.limits == {"fast": 3.0}
    assert config.names == ("a", "b")
    assert config.note is None


@pytest.mark.parametrize(
    "change, complaint",
    [
        (("[limits]", "[limit]"), "unknown key: limit"),
        (("listen =", "listens ="), "unknown key: service.listens"),
        (('secret = "keys/secret"', ""), "missing key: secret"),
        (('"development"', '"staging-hunter2"'), "wrong type: service.profile"),
        (("fast = 3", 'fast = "hunter2"'), "wrong type: limits.fast"),
        (("[service]", "[service"), "cannot be read as TOML"),
    ],
)
def test_a_wrong_file_is_refused_without_echoing_it(tmp_path: Path, change: tuple[str, str], complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, _GOOD.replace(*change))
    assert complaint in str(caught.value)
    assert "hunter2" not in str(caught.value)
