"""Owns the generated stubs: writes protos/gen from protos/valv, or says (--check) that they are stale.

Never judges a contract: that is buf's work, with protos/buf.yaml. For buf and protoc it also lays the imported google
protos out in protos/.deps, so that neither asks a registry.
"""

from __future__ import annotations

import filecmp
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import files
from pathlib import Path

HERE = Path(__file__).resolve().parent
GENERATED = HERE / "gen"
DEPENDENCIES = HERE / ".deps"
IMPORTED = ("google/api", "google/rpc", "google/type")


def lay_dependencies() -> None:
    """Copies the .proto files of googleapis-common-protos, the pinned wheel, into .deps."""
    shutil.rmtree(DEPENDENCIES, ignore_errors=True)
    for path in files("googleapis-common-protos") or ():
        if path.suffix == ".proto" and path.as_posix().startswith(IMPORTED):
            target = DEPENDENCIES / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(path.locate()), target)


def generate(target: Path) -> None:
    """Writes messages, gRPC stubs and their types for every contract into ``target``."""
    sources = sorted(path.relative_to(HERE).as_posix() for path in (HERE / "valv").rglob("*.proto"))
    plugins = Path(sys.executable).parent
    outputs = [f"--{kind}_out={target}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")]
    named = [f"--plugin={name}={plugins / name}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")]
    protoc = [sys.executable, "-m", "grpc_tools.protoc", "-I.", f"-I{DEPENDENCIES}"]
    made = subprocess.run([*protoc, *named, *outputs, *sources], cwd=HERE, check=False, capture_output=True, text=True)
    if made.returncode:
        raise SystemExit(made.stderr)


def stale(fresh: Path) -> list[str]:
    """Returns the stubs that differ from ``fresh``, are missing, or belong to no contract any more."""
    names = {
        path.relative_to(root).as_posix()
        for root in (fresh, GENERATED)
        for path in root.rglob("*.py*")
        if "__pycache__" not in path.parts
    }
    return sorted(
        name
        for name in names
        if not all((root / name).exists() for root in (fresh, GENERATED))
        or not filecmp.cmp(fresh / name, GENERATED / name, shallow=False)
    )


def place(fresh: Path, target: Path) -> None:
    """Puts one stub where it belongs, or removes it when no contract makes it any more."""
    if fresh.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(fresh, target)
    else:
        target.unlink()


def main() -> int:
    """Generates, or with --check compares and fails when protos/gen is not what the contracts say."""
    lay_dependencies()
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch)
        generate(fresh)
        outdated = stale(fresh)
        if "--check" in sys.argv[1:]:
            for name in outdated:
                print(f"protos/gen/{name} is stale: run make protos")
            return 1 if outdated else 0
        for name in outdated:
            place(fresh / name, GENERATED / name)
        print(f"protos/gen: {len(outdated)} stubs changed")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
