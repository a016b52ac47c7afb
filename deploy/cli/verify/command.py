"""The command line of `valv verify`.

Owns arguments, what each path is taken for, and the exit codes: 0 everything holds, 1 something is false, 2 something
cannot be told from what was given, or it was called wrongly.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from deploy.cli.verify import export, log, pruned, receipt, siem
from deploy.cli.verify.files import Files, opened
from deploy.cli.verify.history import PROOF, History, parse_proof
from deploy.cli.verify.note import LONGEST, BadError, Checkpoint, parse_key
from deploy.cli.verify.trust import PolicyError, Trust, parse_policy
from deploy.cli.verify.verdict import Report, State, Verdict, printable

_ABOUT = """\
Checks offline what a log has signed. Each PATH is one of:
  a receipt (.tlog-proof)    the event it opens is an entry under a signed checkpoint
  a checkpoint               it is signed; two of one size must be equal
  a consistency proof        "old N", hashes, empty line, the newer checkpoint: it continues the older one
  an export                  the archive of one's own data, or .jsonl with receipts: rows are as receipts say
  an export to a SIEM        .jsonl, or a directory of them: an entry for every index, under signed checkpoints
  a log                      checkpoint and tile/...: a folder, zip or tar: whole, and nothing beside it; a pruned one
                             with minimum-index, as it was served: whole from there on
With --log, receipts and checkpoints are also compared with that copy of the log: two checkpoints that both fit
one log are consistent with each other. A copy of a log that is still written to must hold what its checkpoint covers,
no less and no more.

One line each: OK it holds; BAD it is false; OPEN it cannot be told from what was given; NOTE worth knowing.
Exit code: 0 all hold; 1 something is false; 2 something cannot be told, or wrong usage."""


class _UsageError(Exception):
    """The command was called wrongly."""


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="valv verify", description=_ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--key", help="the log's verifier key, or a file that holds it")
    parser.add_argument("--policy", type=Path, metavar="FILE", help="who must have cosigned (c2sp.org/tlog-policy)")
    parser.add_argument("--log", type=Path, metavar="PATH", help="a copy of the log to compare with")
    parser.add_argument("--json", action="store_true", help="one JSON object a line: state, path, kind, text and facts")
    parser.add_argument("paths", type=Path, nargs="+", metavar="PATH")
    try:
        flags = parser.parse_args(arguments)
    except SystemExit as end:
        return int(end.code or 0)
    try:
        report = Report(sys.stdout, machine=flags.json)
        _Run(_trust(flags.key, flags.policy), report).run(flags.paths, flags.log)
    except (_UsageError, OSError) as error:
        sys.stderr.write(f"valv verify: {printable(str(error))}\n")
        return 2
    return report.code


class _Run:
    """One call of the command."""

    def __init__(self, trust: Trust, report: Report) -> None:
        self._trust, self._report, self._alone = trust, report, True
        self._history = History()
        self._exports: list[siem.Export] = []

    def run(self, paths: list[Path], copy: Path | None) -> None:
        """Judge each path, then what they say together."""
        self._alone = copy is None
        waiting: list[Path] = []
        for path in paths:
            if not path.exists():
                raise _UsageError(f"{path} does not exist")
            if path.is_file() and _begins(path, PROOF):
                waiting.append(path)
                continue
            for verdict in self._each(path):
                self._report.add(verdict)
        for path in waiting:
            self._report.add(self._proof(path))
        for verdict in () if copy is None else self._compare(copy):
            self._report.add(verdict)
        for verdict in self._history.gaps(alone=copy is None):
            self._report.add(verdict)

    def _each(self, path: Path) -> Iterator[Verdict]:
        try:
            if parts := siem.files_of(path):
                yield from self._siem(path, parts)
                return
            with opened(path) as files:
                if files is not None:
                    yield from self._archive(path, files)
                    return
            if path.suffix == ".jsonl":
                yield from export.verify_lines(str(path), path, self._trust, self._meet(path))
            else:
                yield from self._file(path)
        except BadError as error:
            yield Verdict(str(path), "file", State.BAD, str(error))

    def _archive(self, path: Path, files: Files) -> Iterator[Verdict]:
        note = files.read(log.CHECKPOINT, LONGEST)
        if note is not None:
            head = self._trust.open(note)
            yield from self._whole(path, pruned.whole(files, head, self._trust, _progress(head.size)))
        elif any(files.read(name, 1 << 32) is not None for name in export.LISTS):
            yield from export.verify_archive(str(path), files, self._trust, self._meet(path))
        else:
            raise BadError("neither a log (checkpoint) nor an export (activity.json or activity.jsonl)")

    def _whole(self, path: Path, found: pruned.Whole) -> Iterator[Verdict]:
        shown = self._held(path, "log", found.head, found.text)
        yield replace(shown, facts={**shown.facts, **found.facts})
        yield from self._met(path, found.head)
        if found.said is not None:
            yield from self._met(path, found.said.checkpoint)
            if found.ahead:
                self._history.require(found.head, found.said.checkpoint)

    def _siem(self, path: Path, parts: list[Path]) -> Iterator[Verdict]:
        for found in siem.verify(path, parts, self._trust, self._meet(path), alone=self._alone):
            if isinstance(found, siem.Export):
                self._exports.append(found)
            else:
                yield found

    def _file(self, path: Path) -> Iterator[Verdict]:
        data = _read(path)
        if data.startswith(receipt.HEADER):
            found = receipt.verify(data, self._trust)
            head, text = found.checkpoint, f"entry {found.index} of log {found.checkpoint.origin}: "
            shown = self._held(path, "receipt", head, text + receipt.words(found.event))
            yield replace(shown, facts={**shown.facts, "index": found.index, "event": found.event})
            yield from self._met(path, head)
            return
        head = self._trust.open(data)
        yield self._held(path, "checkpoint", head, f"signed by log {head.origin}: {head.size} entries")
        yield from self._met(path, head, asked=True)

    def _proof(self, path: Path) -> Verdict:
        try:
            proof = parse_proof(str(path), _read(path), self._trust)
        except BadError as error:
            return Verdict(str(path), "proof", State.BAD, str(error))
        return self._history.meet(str(path), proof.new) or self._history.prove(proof)

    def _compare(self, copy: Path) -> Iterator[Verdict]:
        """Compare every head that was met with a copy of the log."""
        try:
            with opened(copy) as files:
                note = files.read(log.CHECKPOINT, LONGEST) if files is not None else None
                if files is None or note is None:
                    raise _UsageError(f"--log: {copy} holds no log")
                head = self._trust.open(note)
                heads = [(path, each) for path, each in self._history.heads if each.origin == head.origin]
                sizes = [*(each.size for _, each in heads), *(each.covered for each in self._exports)]
                found = pruned.whole(files, head, self._trust, _progress(head.size), sizes)
                exports = [siem.compare(each, files, head, found.roots) for each in self._exports]
        except BadError as error:
            yield Verdict(str(copy), "log", State.BAD, str(error))
            return
        yield from self._whole(copy, found)
        yield from exports
        for path, each in heads:
            yield (begun := _begun(path, each, copy, found))
            if begun.state is State.OK:
                self._history.fit(each)

    def _held(self, path: Path, kind: str, head: Checkpoint, text: str) -> Verdict:
        facts = {"origin": head.origin, "size": head.size, "root": head.root.hex()}
        return Verdict(str(path), kind, State.OK, text, facts)

    def _met(self, path: Path, head: Checkpoint, *, asked: bool = False) -> Iterator[Verdict]:
        forked = self._history.meet(str(path), head, asked=asked)
        if forked is not None:
            yield forked

    def _meet(self, path: Path) -> Callable[[Checkpoint], Verdict | None]:
        return lambda head: self._history.meet(str(path), head)


def _begun(path: str, each: Checkpoint, copy: Path, found: pruned.Whole) -> Verdict:
    """Judge whether the log begins with the entries of a head."""
    known, facts = found.roots.get(each.size), {"size": each.size}
    if each.size > found.head.size:
        state, text = State.BAD, f"its checkpoint of {each.size} entries is newer than the log in {copy}"
    elif known is None:
        state, text = State.OPEN, f"the log in {copy} has withdrawn what its checkpoint of {each.size} entries covers"
    elif known != each.root:
        state, text = State.BAD, f"the first {each.size} entries of the log in {copy} are not those that were signed"
    else:
        state, text = State.OK, f"the log in {copy} begins with the {each.size} entries of its checkpoint"
    return Verdict(path, "history", state, text, facts)


def _trust(key: str | None, policy: Path | None) -> Trust:
    trust = Trust(())
    if policy is not None:
        try:
            trust = parse_policy(_read(policy))
        except PolicyError as error:
            raise _UsageError(f"--policy: {error}") from None
    if key is not None:
        path = Path(key)
        try:
            given = parse_key(path.read_text("utf-8") if path.is_file() else key)
        except (BadError, UnicodeDecodeError) as error:
            raise _UsageError(f"--key: {error}") from None
        if trust.logs and given not in trust.logs:
            raise _UsageError("--key: the policy names other logs")
        trust = replace(trust, logs=(given,))
    if not trust.logs:
        raise _UsageError("whose log it is must be given: --key, or a --policy with a log line")
    return trust


def _begins(path: Path, header: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(header)) == header


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(LONGEST + 1)
    if len(data) > LONGEST:
        raise BadError("too long to be anything this program knows")
    return data


def _progress(size: int) -> Callable[[int], None]:
    """Return what shows on a terminal how far a long walk is."""
    if not sys.stderr.isatty():
        return lambda _: None

    def show(done: int) -> None:
        sys.stderr.write(f"\r{done:,} of {size:,} entries" if done < size else "\r\x1b[K")
        sys.stderr.flush()

    return show
