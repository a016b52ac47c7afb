"""What `valv audit` takes and what it refuses before it asks anybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.cli import audit, operator_channel
from services.kit.policy import methods_of
from valv.audit.v1 import reconciliation_pb2, retention_pb2


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


def test_what_reads_the_whole_log_is_given_the_time_that_its_policy_gives() -> None:
    services = (reconciliation_pb2.DESCRIPTOR, "ReconciliationService"), (retention_pb2.DESCRIPTOR, "RetentionService")
    methods = {each.name: each for file, name in services for each in methods_of(file.services_by_name[name])}
    long = {name: each.policy.within for name, each in methods.items() if each.policy.within}
    assert long == dict.fromkeys(("reconcile", "preview_sweep"), operator_channel.LONG_SECONDS)


def test_a_sweep_cannot_be_ordered(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        audit.main(["retention", "--certificate", str(tmp_path / "no.pem")])
