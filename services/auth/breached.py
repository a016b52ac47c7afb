"""Owns the looking up of a password in a set of breached ones on disk. Must never load it, nor miss a part in silence.

The set is that of Have I Been Pwned, as its downloaders leave it: a directory with a file for each of the 16^5 prefixes
of a SHA-1 (``0A3F7`` or ``0A3F7.txt``, lines ``<other 35 digits>:<count>``), or one file of lines
``<40 digits>:<count>`` in ascending order. The answer is exact. A count of 0 is padding. SHA-1 protects nothing here:
it is how the set is keyed.
"""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PREFIX_DIGITS = 5
_DIGITS = 40
_PROBES = 64
_LONGEST_LINE = 64


class BreachedSetError(Exception):
    """The set is not whole, or not one. Names the file, never what was looked up."""


class BreachedSet(Protocol):
    """A set of breached passwords."""

    def check(self) -> None:
        """Look whether the set is whole, as far as that can be seen without reading it all. Raises BreachedSetError."""
        ...

    def times(self, password: str) -> int:
        """Return how many times a password was seen in breaches. Blocks on the disk. Raises BreachedSetError."""
        ...


class RangeDirectory:
    """One file for each prefix."""

    def __init__(self, folder: Path, digits: int = PREFIX_DIGITS) -> None:
        """Take the directory, and how many digits name a file."""
        self._folder, self._digits = folder, digits

    def check(self) -> None:
        """Look whether there is a file for each prefix, and whether some of them can be read.

        Raises:
            BreachedSetError: There is not, or one is damaged.
        """
        try:
            with os.scandir(self._folder) as entries:
                found = {entry.name.removesuffix(".txt").upper() for entry in entries}
        except OSError as error:
            raise BreachedSetError(f"{self._folder}: cannot be listed ({type(error).__name__})") from None
        most = 16**self._digits
        names = (f"{number:0{self._digits}X}" for number in range(most))
        missing = next((name for name in names if name not in found), None)
        if missing is not None:
            raise BreachedSetError(f"{self._folder}: there is no file for {missing}")
        for number in range(0, most, max(1, most // _PROBES)):
            for _ in self._lines(f"{number:0{self._digits}X}"):
                pass

    def times(self, password: str) -> int:
        """Return how many times a password was seen. Raises BreachedSetError."""
        digest = _sha1(password)
        prefix, rest = digest[: self._digits], digest[self._digits :]
        return next((count for found, count in self._lines(prefix) if found == rest), 0)

    def _lines(self, prefix: str) -> Iterator[tuple[str, int]]:
        path = next((path for path in self._names(prefix) if path.exists()), self._folder / prefix)
        form = re.compile(rf"([0-9A-Fa-f]{{{_DIGITS - self._digits}}}):([0-9]+)")
        try:
            lines = path.read_text("ascii").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise BreachedSetError(f"{path}: cannot be read ({type(error).__name__})") from None
        if not lines:
            raise BreachedSetError(f"{path}: is empty")
        for line in lines:
            found = form.fullmatch(line.lstrip("\ufeff"))
            if found is None:
                raise BreachedSetError(f"{path}: is damaged")
            yield found[1].upper(), int(found[2])

    def _names(self, prefix: str) -> Iterator[Path]:
        for name in (prefix, prefix.lower()):
            yield self._folder / f"{name}.txt"
            yield self._folder / name


class SortedFile:
    """One file in ascending order, looked up by halving."""

    def __init__(self, path: Path) -> None:
        """Take the file."""
        self._path = path

    def check(self) -> None:
        """Look whether lines all over the file have the form and the order they must have.

        Raises:
            BreachedSetError: They have not.
        """
        with _Lines(self._path) as lines:
            if not lines.size:
                raise BreachedSetError(f"{self._path}: is empty")
            last = ""
            for probe in range(_PROBES + 1):
                found = lines.at(min(lines.size * probe // _PROBES, lines.size - 1))
                if found is not None and found[0] < last:
                    raise BreachedSetError(f"{self._path}: is not in ascending order")
                last = last if found is None else found[0]
            for offset in range(max(0, lines.size - _LONGEST_LINE), lines.size):
                lines.at(offset)  # a download that broke off ends within a line

    def times(self, password: str) -> int:
        """Return how many times a password was seen. Raises BreachedSetError."""
        digest = _sha1(password)
        with _Lines(self._path) as lines:
            low, high = 0, lines.size
            while low < high:
                middle = (low + high) // 2
                found = lines.at(middle)
                if found is None or found[0] > digest:
                    high = middle
                elif found[0] == digest:
                    return found[1]
                else:
                    low = middle + 1
        return 0


class _Lines:
    """The lines of an open file, by where they begin."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise BreachedSetError(f"{path}: cannot be opened ({type(error).__name__})") from None
        self.size = os.fstat(self._descriptor).st_size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def at(self, offset: int) -> tuple[str, int] | None:
        """Return the first line that begins at or after an offset; None when none does."""
        begun = max(0, offset - 1)
        data = os.pread(self._descriptor, 2 * _LONGEST_LINE, begun)
        if offset:
            _, _, data = data.partition(b"\n")
        line = data.split(b"\n", 1)[0].rstrip(b"\r")
        if not line:
            return None
        found = re.fullmatch(rb"([0-9A-Fa-f]{40}):([0-9]+)", line)
        if found is None:
            raise BreachedSetError(f"{self._path}: is damaged")
        return found[1].decode().upper(), int(found[2])


def _sha1(password: str) -> str:
    return hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
