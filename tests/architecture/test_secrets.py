from __future__ import annotations

import re

import pytest

from tests.architecture.repository import ROOT, tracked

# Classes of one character keep this file from finding itself.
FORBIDDEN = {
    "private key": r"-----BEGIN [A-Z ]*PRIVATE[ ]KEY-----",
    "package registry": r"(?i)\b(pypi[.]org|pythonhosted[.]org|registry[.]npmjs[.]org|deb[.]debian[.]org)",
    "path of somebody's machine": r"(?<![\w.])/(work|root|home/\w+|Users/\w+|tmp/v)/",
    "live key of a payment gateway": r"\b[sr]k_live_\w",
    "AWS access key": r"\bAKIA[0-9A-Z]{16}\b",
}


@pytest.mark.parametrize("kind", FORBIDDEN)
def test_the_repository_holds_no(kind: str) -> None:
    pattern = re.compile(FORBIDDEN[kind].encode())
    found = [
        f"{name}:{number}"
        for name in tracked()
        for number, line in enumerate((ROOT / name).read_bytes().splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []
