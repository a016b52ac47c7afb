"""Owns the threads in which files encrypts, decrypts and waits for the blob store, so that the loop never does."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")


class Workers:
    """A bounded pool of threads."""

    def __init__(self, threads: int) -> None:
        """Take how many pieces of work may run at once; the rest waits in order."""
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="files")

    def start(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Begin a piece of work; a thread cannot be cancelled, so whoever starts one must let it end."""
        return asyncio.wrap_future(self._pool.submit(function, *args, **kwargs))

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do a piece of work; a cancellation is delivered after it has ended."""
        work = self.start(function, *args, **kwargs)
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            await settle(work)
            raise

    async def close(self) -> None:
        """Let what runs end."""
        await asyncio.to_thread(self._pool.shutdown)


async def settle(work: asyncio.Future[T]) -> None:
    """Wait until a piece of work has ended, however it ends."""
    await asyncio.wait({work})
    if not work.cancelled():
        work.exception()
