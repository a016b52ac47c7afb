"""Owns the question whether the contracts break what an earlier commit promised: python protos/breaking.py COMMIT.

Never decides what breaking means: that is buf's, with protos/buf.yaml.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Lays the earlier contracts out beside the imported ones and lets buf compare."""
    if not sys.argv[1:]:
        print("no earlier commit to compare the contracts with")
        return 0
    archive = ["git", "archive", sys.argv[1], "protos"]
    earlier = subprocess.run(archive, cwd=HERE.parent, check=True, capture_output=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["tar", "-x", "-C", folder], input=earlier, check=True)
        before = Path(folder) / "protos"
        shutil.copytree(HERE / ".deps", before / ".deps")
        shutil.copyfile(HERE / "buf.yaml", before / "buf.yaml")
        buf = Path(sys.executable).parent / "buf"
        return subprocess.run([buf, "breaking", HERE, "--against", before], check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
