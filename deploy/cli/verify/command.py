"""The command line of `valv verify`.

Owns arguments, verdicts and exit codes: 0 everything holds, 1 something does not, 2 it was called wrongly.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.cli.verify import receipt
from deploy.cli.verify.log_directory import require_log
from deploy.cli.verify.note import BadError, Checkpoint, Key, open_checkpoint, parse_key

_ABOUT = """\
Each PATH is a receipt (.tlog-proof), a checkpoint, or a log's directory (checkpoint and tile/...).
With --log, receipts and checkpoints are also compared with that copy of the log: two checkpoints
that both fit one log are consistent with each other."""


class _UsageError(Exception):
    """The command was called wrongly."""


@dataclass(frozen=True)
class _Verdict:
    text: str
    checkpoint: Checkpoint


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="valv verify", description=_ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--key", required=True, help="the log's verifier key, or a file that holds it")
    parser.add_argument("--log", type=Path, metavar="DIRECTORY", help="a copy of the log to compare with")
    parser.add_argument("paths", type=Path, nargs="+", metavar="PATH")
    try:
        flags = parser.parse_args(arguments)
    except SystemExit as end:
        return int(end.code or 0)
    try:
        return _run(_key(flags.key), flags.paths, flags.log)
    except (_UsageError, OSError) as error:
        sys.stderr.write(f"valv verify: {error}\n")
        return 2


def _run(key: Key, paths: list[Path], log: Path | None) -> int:
    held: list[tuple[Path, _Verdict]] = []
    bad = False
    for path in paths:
        try:
            held.append((path, _verify(path, key)))
        except BadError as error:
            print(f"BAD  {path}: {error}")
            bad = True
    if log is None:
        bad |= _compare([verdict.checkpoint for _, verdict in held])
    for path, verdict in held:
        problem = _fits(log, key, verdict.checkpoint) if log is not None else ""
        print(f"BAD  {path}: {problem}" if problem else f"OK   {path}: {verdict.text}")
        bad |= bool(problem)
    return 1 if bad else 0


def _verify(path: Path, key: Key) -> _Verdict:
    if path.is_dir():
        head = open_checkpoint(_read(path / "checkpoint"), key)
        require_log(path, head)
        return _Verdict(f"log {head.origin}: all {head.size} entries are under its signed root", head)
    data = _read(path)
    if data.startswith(receipt.HEADER):
        found = receipt.verify(data, key)
        where = f"entry {found.index} of log {found.checkpoint.origin}"
        return _Verdict(f"{where}: {receipt.words(found.event)}", found.checkpoint)
    head = open_checkpoint(data, key)
    return _Verdict(f"signed by log {head.origin}: {head.size} entries", head)


def _compare(heads: list[Checkpoint]) -> bool:
    """Tell whether two heads of one size differ: a log that shows different people different things."""
    roots: dict[int, bytes] = {}
    for head in heads:
        if roots.setdefault(head.size, head.root) != head.root:
            print(f"BAD  the log signed two different trees of {head.size} entries: keep both files, they prove it")
            return True
    if len(roots) > 1:
        print("NOTE that the checkpoints are of one history was not checked: give a copy of the log with --log")
    return False


def _fits(log: Path, key: Key, head: Checkpoint) -> str:
    try:
        require_log(log, open_checkpoint(_read(log / "checkpoint"), key), [head])
    except BadError as error:
        return str(error)
    return ""


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise _UsageError(f"{path} does not exist") from None


def _key(text: str) -> Key:
    path = Path(text)
    try:
        return parse_key(path.read_text("utf-8") if path.is_file() else text)
    except (BadError, UnicodeDecodeError) as error:
        raise _UsageError(f"--key: {error}") from None
