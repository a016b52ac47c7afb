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


def links() -> str:
    return "".join(re.findall(r"```toml\n(\[\[links.*?)```", README.read_text("utf-8"), re.DOTALL))


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


def test_the_readmes_third_party_loads(tmp_path: Path) -> None:
    (provider,) = read(tmp_path, example() + links()).links.providers
    assert (provider.id, provider.flow) == ("mail", "password")
    assert provider.offer("sv").text.kept_for == "Tills du avslutar länken."


@pytest.mark.clause("P10")
@pytest.mark.parametrize(
    "old, new",
    [
        ("[links.providers.purpose.texts.sv]", "[links.providers.purpose.texts.de]"),
        ("[links.providers.imap]", '[links.providers.webdav]\nurl = "https://files.example/"\n[links.providers.imap]'),
        ("[links.providers.purpose]", "timeout_seconds = 11.0\n[links.providers.purpose]"),
        ('id = "mail"', 'id = "Mail!"'),
        ('used_for = "We', 'used_for = "\\nWe'),
        ('version = "2026-11"', 'version = ""'),
    ],
)
def test_a_third_party_that_would_break_the_promise_does_not_load(tmp_path: Path, old: str, new: str) -> None:
    text = links()
    assert old in text
    with pytest.raises(ConfigError):
        read(tmp_path, example() + text.replace(old, new, 1))


def test_two_third_parties_have_two_ids(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="one id"):
        read(tmp_path, example() + links() + links())


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
        ("at_least_every_seconds = 86400.0", "at_least_every_seconds = 0.0"),
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
