"""What is checked as a set of named files: a folder, a zip or a tar.

Owns the opening of archives. Believes no archive: no member leaves its place, none is read beyond the length it may
have, and none may be there twice.
"""

import os
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from shutil import copyfileobj
from tempfile import TemporaryDirectory
from typing import Protocol
from zlib import error as ZlibError  # noqa: N812 - the library's own name is "error"

from deploy.cli.verify.note import BadError

_KEPT = ("checkpoint", "minimum-index", "tile/", "activity.json", "activity.jsonl", "receipts/")


class Files(Protocol):
    """Named files, with "/" between folders."""

    def read(self, name: str, most: int) -> bytes | None:
        """Return a file's bytes, or None; raise BadError when it is longer than `most`."""

    def names(self) -> Iterator[str]:
        """Yield every file's name."""


class Folder:
    """Files in a folder."""

    def __init__(self, root: Path) -> None:
        """Take the folder."""
        self._root = root

    def read(self, name: str, most: int) -> bytes | None:
        """Return a file's bytes, or None."""
        path = self._root / name
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return _bounded(file.read(most + 1), name, most)

    def names(self) -> Iterator[str]:
        """Yield every file's name."""
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            with os.scandir(self._root / folder) as found:
                for each in found:
                    name = f"{folder}{each.name}"
                    if each.is_dir(follow_symlinks=False):
                        waiting.append(f"{name}/")
                    else:
                        yield name


class Zip:
    """Files in a zip, all of them or those below a folder."""

    def __init__(self, archive: zipfile.ZipFile, prefix: str = "") -> None:
        """Take an open zip."""
        self._archive, self._prefix = archive, prefix
        self._names = {each.filename for each in archive.infolist() if not each.is_dir()}
        if len(self._names) != sum(not each.is_dir() for each in archive.infolist()):
            raise BadError("the archive holds two files of one name")

    def read(self, name: str, most: int) -> bytes | None:
        """Return a file's bytes, or None."""
        if self._prefix + name not in self._names:
            return None
        try:
            with self._archive.open(self._prefix + name) as file:
                return _bounded(file.read(most + 1), name, most)
        except (zipfile.BadZipFile, ZlibError, NotImplementedError, RuntimeError, EOFError):
            raise BadError(f"{name} cannot be read from the archive") from None

    def names(self) -> Iterator[str]:
        """Yield every file's name."""
        for name in self._names:
            if name.startswith(self._prefix):
                yield name.removeprefix(self._prefix)


@contextmanager
def opened(path: Path) -> Iterator[Files | None]:
    """Open what is a folder, a zip or a tar; None for any other file."""
    with ExitStack() as stack:
        if path.is_dir():
            yield Folder(path)
        elif zipfile.is_zipfile(path):
            try:
                archive = stack.enter_context(zipfile.ZipFile(path))
            except (zipfile.BadZipFile, NotImplementedError):
                raise BadError("the archive is damaged") from None
            yield Zip(archive, _top(Zip(archive).names()))
        elif _is_tar(path):
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="valv-verify-")))
            _unpack(path, folder)
            yield Folder(folder / _top(Folder(folder).names()))
        else:
            yield None


def _top(names: Iterator[str]) -> str:
    """Return the folder that everything is in: an archive of a folder has it before each name."""
    tops = {name.partition("/")[0] if "/" in name else "" for name in names}
    return f"{tops.pop()}/" if len(tops) == 1 and not tops & {"", "tile", "receipts"} else ""


def _is_tar(path: Path) -> bool:
    try:
        return path.is_file() and path.stat().st_size > 0 and tarfile.is_tarfile(path)
    except (OSError, EOFError, ZlibError):
        return False


def _unpack(path: Path, folder: Path) -> None:
    """Copy what can matter to a scratch folder: a compressed tar has no other way to be read in any order."""
    try:
        with tarfile.open(path, "r|*") as archive:
            for member in archive:
                name = PurePosixPath(member.name)
                if not member.isfile() or not _matters(name):
                    continue
                target = folder / name
                if name.is_absolute() or ".." in name.parts or target.exists():
                    raise BadError("the archive holds a file that leaves its folder, or two of one name")
                target.parent.mkdir(parents=True, exist_ok=True)
                source = archive.extractfile(member)
                with target.open("xb") as file:
                    if source is not None:
                        copyfileobj(source, file)
    except (tarfile.TarError, EOFError, ZlibError, OSError) as error:
        raise BadError(f"the archive is damaged ({type(error).__name__})") from None


def _matters(name: PurePosixPath) -> bool:
    text = name.as_posix().removeprefix("./")
    return any(text.startswith(kept) or text.partition("/")[2].startswith(kept) for kept in _KEPT)


def _bounded(data: bytes, name: str, most: int) -> bytes:
    if len(data) > most:
        raise BadError(f"{name} is longer than it may be")
    return data
