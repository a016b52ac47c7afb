"""The configuration: what the README shows loads, and nothing weaker than promised does."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from services.auth import tables
from services.auth.config import Config
from services.auth.throttle_rules import DEFAULT
from services.kit.config import ConfigError, load

README = Path(tables.__file__).parent / "README.md"


def example() -> str:
    found = re.search(r"```toml\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


def read(folder: Path, text: str) -> Config:
    path = folder / "auth.toml"
    shutil.copy(DEFAULT, folder / "throttle.toml")
    path.write_text(text)
    return load(Config, path)


def test_the_readmes_example_loads_and_paths_follow_the_file(tmp_path: Path) -> None:
    config = read(tmp_path, example())
    assert config.passwords.pepper_file == tmp_path / "secrets" / "pepper.toml"
    assert config.throttle_file == tmp_path / "throttle.toml"
    assert config.shared.redis_url is not None
    assert config.sessions.limits().idle.total_seconds() == 1800


@pytest.mark.parametrize(
    "old, new",
    [
        ('profile = "development"', 'profile = "production"'),
        ('host = "127.0.0.1"', 'host = "mail.example"'),
        ("secure_delete = true", "secure_delete = false"),
        ("https://localhost:8443", "http://localhost:8443"),
        ("https://localhost:8443", "https://localhost:8443/"),
        ('hints = "redis"', 'hints = "postgresql"'),
        ('redis_url = "rediss://redis.internal:6379/0"', ""),
        ("every_seconds = 300.0", "every_seconds = 0.0"),
        ('throttle_file = "throttle.toml"', 'throttle_file = "none.toml"'),
        ("[sessions]", "[sessions]\nidle_seconds = 1801"),
        ("[sessions]", "[sessions]\nabsolute_seconds = 43201"),
        ("[passwords]", "[passwords]\nworkers = 0"),
        ("[passwords]", '[passwords]\npepper = "in the file"'),
        ('file = "secrets/root.key"', 'kms_key = "alias/auth"'),
        ("[root_key]", '[root_key]\nkms_key = "alias/auth"'),
        ("[mail]", "[passwords.parameters]\nmemory_kib = 8192\n[mail]"),
    ],
)
def test_what_is_weaker_or_unknown_is_refused(tmp_path: Path, old: str, new: str) -> None:
    assert old in example()
    with pytest.raises(ConfigError):
        read(tmp_path, example().replace(old, new, 1))
