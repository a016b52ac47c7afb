"""The root key: what every implementation of the port does, and what each does in its own way."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from services.kit.config import ConfigError
from services.kit.envelope import (
    FileRootKey,
    RootKey,
    RootKeyConfig,
    RootKeyError,
    SealError,
    context,
    create_root_key,
)
from services.kit.kms import KMSRootKey, root_key
from tests.support.kms import FakeKMS, serving

OURS = context("valv/test/v1", "usr_1")
KEY = bytes(range(32))
Make = Callable[[], RootKey]


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKMS]:
    for name, value in (("ACCESS_KEY_ID", "test"), ("SECRET_ACCESS_KEY", "test"), ("EC2_METADATA_DISABLED", "true")):
        monkeypatch.setenv(f"AWS_{name}", value)
    with serving(FakeKMS()) as served:
        yield served


@pytest.fixture(params=["file", "kms"])
async def make(request: pytest.FixtureRequest, tmp_path: Path, kms: FakeKMS) -> AsyncIterator[Make]:
    """Makes another root key of the same kind at each call."""
    made: list[RootKey] = []

    def one() -> RootKey:
        if request.param == "file":
            path = tmp_path / f"root-{len(made)}"
            create_root_key(path)
            made.append(root_key(RootKeyConfig(file=path)))
        else:
            made.append(root_key(RootKeyConfig(kms_key=kms.key(), kms_region="eu-north-1", kms_endpoint=kms.url)))
        return made[-1]

    yield one
    for key in made:
        if isinstance(key, KMSRootKey):
            key.close()


@pytest.mark.clause("P13", "ASVS 11.3.3")
async def test_what_is_wrapped_unwraps_in_its_context_only(make: Make) -> None:
    root = make()
    blob = await root.wrap(KEY, OURS)
    assert await root.unwrap(blob, OURS) == KEY
    assert KEY not in blob
    for other in (context("valv/test/v1", "usr_2"), context("valv/other/v1", "usr_1"), b"", OURS + b"\x00"):
        with pytest.raises(SealError):
            await root.unwrap(blob, other)


async def test_wrapping_twice_gives_different_blobs(make: Make) -> None:
    root = make()
    assert await root.wrap(KEY, OURS) != await root.wrap(KEY, OURS)


@pytest.mark.clause("P13")
async def test_another_root_does_not_unwrap(make: Make) -> None:
    blob = await make().wrap(KEY, OURS)
    with pytest.raises(SealError):
        await make().unwrap(blob, OURS)


@pytest.mark.clause("P13")
async def test_a_changed_blob_does_not_unwrap(make: Make) -> None:
    root = make()
    blob = await root.wrap(KEY, OURS)
    changed = [b"", blob[:-1], blob + b"\x00", b"\x07" + blob[1:]]
    changed += [blob[:at] + bytes((blob[at] ^ 1,)) + blob[at + 1 :] for at in range(len(blob))]
    for other in changed:
        with pytest.raises(SealError):
            await root.unwrap(other, OURS)


async def test_only_whole_keys_are_wrapped(make: Make) -> None:
    root = make()
    for key in (b"", KEY[:-1], KEY + b"\x00"):
        with pytest.raises(ValueError, match="32 bytes"):
            await root.wrap(key, OURS)


def test_a_configuration_names_one_root() -> None:
    for config in (RootKeyConfig(), RootKeyConfig(file=Path("/a"), kms_key="b")):
        with pytest.raises(ConfigError):
            root_key(config)


def line(version: int) -> str:
    return f"v{version}:{base64.b64encode(secrets.token_bytes(32)).decode()}\n"


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


async def test_the_newest_version_of_a_file_wraps_and_all_unwrap(tmp_path: Path) -> None:
    first, second = line(1), line(2)
    path = written(tmp_path / "root", first)
    old = await FileRootKey(path).wrap(KEY, OURS)
    both = FileRootKey(written(path, second + first))
    new = await both.wrap(KEY, OURS)
    assert [await both.unwrap(blob, OURS) for blob in (old, new)] == [KEY, KEY]
    with pytest.raises(SealError):
        await FileRootKey(written(path, first)).unwrap(new, OURS)
    with pytest.raises(SealError):
        await FileRootKey(written(path, second)).unwrap(old, OURS)


@pytest.mark.clause("P13", "ASVS 13.3.1")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o601, 0o700, 0o4600])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    FileRootKey(written(tmp_path / "root", line(1), 0o400))
    with pytest.raises(RootKeyError, match="0600 or stricter"):
        FileRootKey(written(tmp_path / "root2", line(1), mode))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "v0:" + line(1)[3:],
        "v99999:" + line(1)[3:],
        line(1) + line(1),
        line(1) + "\n" + line(2),
        line(1)[:-3] + "\n",
        "v1:" + base64.b64encode(bytes(31)).decode(),
        line(1) + "# note",
        "å",
        "x" * 32,
    ],
    ids=range(11),  # the lines are random, and pytest-xdist compares names
)
def test_a_file_that_is_no_root_key_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    with pytest.raises(RootKeyError) as caught:
        FileRootKey(written(tmp_path / "root", text))
    shown = str(caught.value)
    assert not any(len(word) > 8 and word in shown for word in text.replace(":", " ").split())


def test_a_new_root_key_is_private_and_an_old_one_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "root"
    create_root_key(path)
    before = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    create_root_key(path)
    assert path.read_bytes() == before
    with pytest.raises(RootKeyError, match="FileNotFoundError"):
        FileRootKey(tmp_path / "absent")
    assert os.listdir(tmp_path) == ["root"]  # noqa: PTH208 - names are what is compared


async def test_kms_is_asked_with_the_context_and_never_for_more(kms: FakeKMS) -> None:
    root = KMSRootKey(RootKeyConfig(kms_key=kms.key(), kms_region="eu-north-1", kms_endpoint=kms.url))
    await root.unwrap(await root.wrap(KEY, OURS), OURS)
    bound = {"valv": base64.urlsafe_b64encode(OURS).decode()}
    assert [target for target, _ in kms.seen] == ["TrentService.Encrypt", "TrentService.Decrypt"]
    assert all(request["EncryptionContext"] == bound and request["KeyId"] == "key-0" for _, request in kms.seen)
    root.close()


async def test_kms_that_fails_is_asked_again_and_one_that_is_away_is_told_from_a_wrong_blob(kms: FakeKMS) -> None:
    root = KMSRootKey(RootKeyConfig(kms_key=kms.key(), kms_region="eu-north-1", kms_endpoint=kms.url))
    kms.fails = ["KMSInternalException"]
    blob = await root.wrap(KEY, OURS)
    kms.fails = ["AccessDeniedException"]
    with pytest.raises(RootKeyError, match="refuses"):
        await root.unwrap(blob, OURS)
    root.close()
    away = KMSRootKey(RootKeyConfig(kms_key="key-0", kms_region="eu-north-1", kms_endpoint="http://127.0.0.1:1"))
    with pytest.raises(RootKeyError, match="away"):
        await away.unwrap(blob, OURS)
    away.close()
