"""What `valv audit` takes and what it refuses before it asks anybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.cli import audit


def test_a_hold_is_on_one_thing_and_times_have_offsets(tmp_path: Path) -> None:
    for words in ([], ["usr_x", "--since", "2026-01-01T00:00:00Z"], ["--since", "2026-01-01T00:00:00"]):
        with pytest.raises(SystemExit):
            audit.main(["hold", "place", *words, "--cause", "litigation", "--certificate", str(tmp_path / "no.pem")])


def test_its_parts_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.main([]) == 0
    assert audit.main(["nonsense"]) == 2
    assert capsys.readouterr().out.count("  hold ") == 2


def test_without_a_certificate_nothing_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["hold", "list"], ["retention", "--dry-run"], ["remains", "usr_x"], ["reconcile"]):
        assert audit.main([*words, "--certificate", str(tmp_path / "no.pem")]) == 1
        assert "cannot read" in capsys.readouterr().err


def test_a_sweep_cannot_be_ordered(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        audit.main(["retention", "--certificate", str(tmp_path / "no.pem")])
