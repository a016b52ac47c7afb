"""Owns the keys of files: made here, stored wrapped under the customer's key, in the keys database only.

A file key is 32 random bytes. What is encrypted is never encrypted under it, but under keys derived from it by
HKDF-Expand (SHA-512), one for each use. Destroying its row makes the file unreadable for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from services.files.cobblestone import KEY_BYTES, DamagedError
from services.kit.envelope import RootKeyError, SealError, context, seal, unseal
from services.kit.faults import UNAVAILABLE, Fault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping

T = TypeVar("T")
_WRAP = "valv/file/wrap/v1"


@dataclass(frozen=True)
class FileRef:
    """Which bytes are meant: a version of a customer's file. All that is encrypted is bound to it."""

    customer: str
    file: str
    version: int

    def context(self, use: str, *more: str) -> bytes:
        """Return what binds a ciphertext to its use and to this version of this file."""
        return context(use, self.customer, self.file, str(self.version), *more)


class FileKey:
    """A file's key, unwrapped. Never stored, never shown."""

    __slots__ = ("_key", "ref")

    def __init__(self, ref: FileRef, key: bytes) -> None:
        self.ref, self._key = ref, key

    def content(self) -> bytes:
        """Return the input key of the file's segments."""
        return self._derive("content")

    def segment_context(self, index: int) -> bytes:
        """Return the context of segment number ``index``."""
        return self.ref.context("valv/file/v1", str(index))

    def seal(self, use: str, plaintext: bytes) -> bytes:
        """Seal a small thing that belongs to the file."""
        return seal(self._derive(use), plaintext, self.ref.context(f"valv/file/{use}/v1"))

    def unseal(self, use: str, sealed: bytes) -> bytes:
        """Open what was sealed.

        Raises:
            DamagedError: It is not what was sealed for this use of this version of this file.
        """
        return _opened(self._derive(use), sealed, self.ref.context(f"valv/file/{use}/v1"))

    def _derive(self, use: str) -> bytes:
        return HKDFExpand(SHA512(), KEY_BYTES, context("valv/file/key/v1", use)).derive(self._key)


class CustomerKeys(Protocol):
    """Where a customer's key comes from: the kit's keyring."""

    async def get(self, owner: str) -> bytes | None:
        """Return the owner's key, or None when it was destroyed or never made."""
        ...

    async def get_or_create(self, owner: str) -> bytes:
        """Return the owner's key, making it the first time."""
        ...

    async def destroy(self, owner: str) -> bool:
        """Destroy the owner's key for good; tells whether there was one."""
        ...


class WrappedKeys(Protocol):
    """Where wrapped keys are kept: the keys database."""

    async def add(self, file: str, wrapped: bytes) -> None:
        """Keep a file's wrapped key."""
        ...

    async def get(self, files: Collection[str]) -> Mapping[str, bytes]:
        """Return the wrapped keys of those of the files that have one."""
        ...

    async def destroy(self, file: str) -> None:
        """Destroy a file's wrapped key; nothing happens when there is none."""
        ...


class FileKeys:
    """The keys of files."""

    def __init__(self, kept: WrappedKeys, customers: CustomerKeys, entropy: Callable[[int], bytes]) -> None:
        self._kept, self._customers, self._entropy = kept, customers, entropy

    async def create(self, ref: FileRef) -> FileKey:
        """Make and keep a file's key."""
        owner = await _available(self._customers.get_or_create(ref.customer))
        key = self._entropy(KEY_BYTES)
        await self._kept.add(ref.file, seal(owner, key, ref.context(_WRAP)))
        return FileKey(ref, key)

    async def open(self, ref: FileRef) -> FileKey:
        """Return a file's key.

        Raises:
            DamagedError: There is none, or it belongs to something else.
        """
        found = await self.open_all([ref])
        if ref.file not in found:
            raise DamagedError
        return found[ref.file]

    async def open_all(self, refs: Iterable[FileRef]) -> Mapping[str, FileKey]:
        """Return the keys of files of one customer, by file; those that were destroyed are left out.

        Raises:
            DamagedError: A key belongs to something else.
        """
        wanted = {ref.file: ref for ref in refs}
        if not wanted:
            return {}
        owner = await _available(self._customers.get(next(iter(wanted.values())).customer))
        if owner is None:
            return {}
        kept = await self._kept.get(wanted)
        return {
            file: FileKey(wanted[file], _opened(owner, wrapped, wanted[file].context(_WRAP)))
            for file, wrapped in kept.items()
        }

    async def forget(self, customer: str) -> None:
        """Destroy the customer's key: none of their files' keys can be unwrapped any more, nor a new one made."""
        await self._customers.destroy(customer)

    async def destroy(self, file: str) -> None:
        """Destroy a file's key."""
        await self._kept.destroy(file)


def _opened(key: bytes, sealed: bytes, bound: bytes) -> bytes:
    try:
        return unseal(key, sealed, bound)
    except SealError:
        raise DamagedError from None


async def _available(work: Awaitable[T]) -> T:
    try:
        return await work
    except SealError:
        raise DamagedError from None
    except RootKeyError:
        raise Fault(UNAVAILABLE, retry_after=1) from None
