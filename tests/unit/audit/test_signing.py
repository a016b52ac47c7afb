"""The log's key file."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.audit.signing import create_signing_key, load_signer
from services.kit.config import ConfigError


def test_a_key_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    create_signing_key(path)
    vkey = load_signer(path, "log.example").verifier.vkey
    create_signing_key(path)
    assert load_signer(path, "log.example").verifier.vkey == vkey
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    create_signing_key(path)
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="0600"):
        load_signer(path, "log.example")


@pytest.mark.parametrize("content", [b"", b"hunter2"])
def test_anything_else_is_refused_and_not_repeated(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "signing.pem"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigError) as refused:
        load_signer(path, "log.example")
    assert "hunter2" not in str(refused.value)
    with pytest.raises(ConfigError):
        load_signer(tmp_path / "absent", "log.example")
