"""The set of breached passwords: exact in both forms, whole or refused, never loaded."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.auth.breached import BreachedSetError, RangeDirectory, SortedFile

SEEN = {f"password number {number}": number for number in range(2000)}
SEEN["caf\u00e9"] = 7


def digest(password: str) -> str:
    return hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()


LINES = sorted(f"{digest(password)}:{count}" for password, count in SEEN.items())
WHOLE = "\n".join((*LINES, ""))


@pytest.fixture(scope="module", params=["\n", "\r\n"], ids=["lf", "crlf"])
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One sorted file."""
    path = tmp_path_factory.mktemp("set") / "pwned.txt"
    path.write_bytes(request.param.join((*LINES, "")).encode())
    return path


@pytest.fixture(scope="module", params=[".txt", ""])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file for each prefix, of two digits here: the real ones have five, and a million files."""
    path = tmp_path_factory.mktemp("set")
    for number in range(256):
        prefix = f"{number:02X}"
        lines = [line[2:] for line in LINES if line.startswith(prefix)] or ["0" * 38 + ":0"]
        (path / f"{prefix}{request.param}").write_bytes("\r\n".join(lines).encode())
    return path


@pytest.mark.clause("ASVS 6.2.12")
def test_every_password_of_the_set_is_found_and_no_other(file: Path, folder: Path) -> None:
    for kept in (SortedFile(file), RangeDirectory(folder, 2)):
        kept.check()
        assert {password: kept.times(password) for password in SEEN} == SEEN
        assert not any(kept.times(f"password number {number}") for number in range(2000, 3000))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=20), min_size=1, max_size=40, unique=True), st.text(max_size=20))
def test_a_sorted_file_of_any_size_answers_exactly(passwords: list[str], other: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pwned.txt"
        path.write_text("\n".join(sorted(f"{digest(password)}:3" for password in passwords)))
        kept = SortedFile(path)
        kept.check()
        assert all(kept.times(password) == 3 for password in passwords)
        assert kept.times(other) == (3 if other in passwords else 0)


def test_padding_is_nobodys_password(tmp_path: Path) -> None:
    path = tmp_path / "pwned.txt"
    path.write_text(f"{digest('padding')}:0\n")
    assert SortedFile(path).times("padding") == 0


@pytest.mark.clause("ASVS 16.5.3")
@pytest.mark.parametrize(
    "content",
    [None, "", "no hashes\n" * 500, "\n".join((*reversed(LINES), "")), WHOLE[:-20]],
    ids=["missing", "empty", "text", "descending", "cut"],
)
def test_a_file_that_is_not_whole_is_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "pwned.txt"
    if content is not None:
        path.write_text(content)
    with pytest.raises(BreachedSetError):
        SortedFile(path).check()


@pytest.mark.clause("ASVS 16.5.3")
@pytest.mark.parametrize("damage", ["no directory", "one missing", "damaged", "empty"])
def test_a_directory_that_is_not_whole_is_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "set"
    if damage != "no directory":
        path.mkdir()
        for number in range(256):
            (path / f"{number:02X}.txt").write_text("0" * 38 + ":0")
        RangeDirectory(path, 2).check()
        if damage == "one missing":
            (path / "7F.txt").unlink()
        else:
            (path / "80.txt").write_text("" if damage == "empty" else "not a line")
    with pytest.raises(BreachedSetError):
        RangeDirectory(path, 2).check()


def test_what_gets_lost_later_is_an_error_and_no_answer(tmp_path: Path) -> None:
    with pytest.raises(BreachedSetError) as refused:
        RangeDirectory(tmp_path, 2).times("password number 7")
    assert "password number" not in str(refused.value)
