"""Where a log may be exported to."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.audit.siem.config import SiemConfig


@pytest.mark.parametrize(
    "url",
    [
        "http://collector.example/events",
        "ftp://localhost/events",
        "https://user:word@collector.example/",
        "https://collector.example/#part",
        "https:///events",
        "collector.example",
        "http://127.0.0.1.example/",
    ],
)
@pytest.mark.clause("P5")
def test_a_log_is_sent_over_https_and_to_a_host(url: str) -> None:
    with pytest.raises(ValueError, match="url"):
        SiemConfig(url=url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://localhost:9/", "http://[::1]:9/"])
def test_in_clear_only_to_this_machine(url: str) -> None:
    assert SiemConfig(url=url).in_clear
    assert not SiemConfig(url="https://collector.example/events").in_clear


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"directory": Path("siem"), "token_file": Path("token")},
        {"directory": Path("siem"), "ca_file": Path("ca")},
        {"directory": Path("siem"), "batch": 0},
        {"directory": Path("siem"), "batch": 1001},
        {"directory": Path("siem"), "timeout_seconds": 0.0},
        {"directory": Path("siem"), "rotate_bytes": 10},
    ],
)
def test_what_makes_no_sense_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"url|batch|timeout"):
        SiemConfig(**values)  # type: ignore[arg-type]  # what is refused
