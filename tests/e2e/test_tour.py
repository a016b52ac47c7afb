"""The tour of the README is true: its lines run as they stand, and print what it says they print."""

from __future__ import annotations

import doctest
import re
import subprocess

import pytest

from deploy.cli.layout import REPOSITORY, Ports
from tests.support.live import Live

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = "=== end of block ==="
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
SECONDS = 120


def _tour() -> str:
    text = (REPOSITORY / "README.md").read_text("utf-8")
    return text.split("## A five-minute tour")[1].split("\n## ")[0]


def _steps() -> list[tuple[str, str]]:
    """Return what is typed and what is printed, step by step."""
    steps: list[tuple[str, str]] = []
    for language, text in BLOCK.findall(_tour()):
        if language == "bash":
            steps.append((text, ""))
        elif language == "":
            steps[-1] = (steps[-1][0], text)
    return steps


def _here(live: Live, script: str) -> str:
    """Put this installation's addresses in place of the usual ones, each of which the tour must name."""
    usual, ports = Ports(), live.layout.ports
    for named, here in (
        (f"VALV=https://localhost:{usual.edge}", f"VALV={live.address}"),
        (f"MAIL=http://127.0.0.1:{usual.mail}", f"MAIL=http://127.0.0.1:{ports.mail}"),
        ("STATE=var", f"STATE={live.layout.state}"),
        (f"AUTH=127.0.0.1:{usual.auth}", f"AUTH=127.0.0.1:{ports.auth}"),
    ):
        assert script.count(named) == 1, named
        script = script.replace(named, here)
    return script


@pytest.mark.clause("P5", "P8", "P13")
def test_the_tour_prints_what_it_says(live: Live) -> None:
    steps = _steps()
    assert len(steps) > 5
    script = _here(live, "".join(f"{typed}\necho '{MARK}'\n" for typed, _ in steps))
    done = subprocess.run(
        ["bash", "-euo", "pipefail"],
        input=script, capture_output=True, text=True, check=False, cwd=REPOSITORY, timeout=SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    printed = done.stdout.split(MARK)
    checker = doctest.OutputChecker()
    for (typed, expected), got in zip(steps, printed, strict=False):
        assert checker.check_output(expected, got.lstrip("\n"), FLAGS), f"{typed}\nprinted:\n{got}\nnot:\n{expected}"
