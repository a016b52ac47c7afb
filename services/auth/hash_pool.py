"""Owns the threads that hash passwords, and how many may wait for them. Must never be shared with anything else.

Memory is bounded by ``workers`` hashes at once; what does not fit in the queue is refused at once. Session checks do
not run here, and these threads give way to the one that serves them: a flood of sign-ins cannot slow them.
"""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from services.kit.faults import OVERLOADED, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

RETRY_AFTER_SECONDS = 1.0
_NICENESS = 10


class HashPool:
    """A fixed number of threads with a fixed number of places before them."""

    def __init__(self, workers: int, queue: int) -> None:
        """Take how many hash at once, and how many more calls may wait."""
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="hash", initializer=_step_back)
        self._limit = workers + queue
        self._taken = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold one place, from before the first write of a call until its last hash.

        Raises:
            Fault: OVERLOADED, at once, when there is none.
        """
        if self._taken >= self._limit:
            raise Fault(OVERLOADED, retry_after=RETRY_AFTER_SECONDS)
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1

    async def run(self, work: Callable[[], T]) -> T:
        """Run in a thread. A cancelled caller leaves only when its thread is free again, so that places are exact."""
        running = self._executor.submit(work)
        waiting = asyncio.wrap_future(running)
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            if not running.cancel():
                await asyncio.wait({waiting})
                waiting.exception()  # nobody is left to be told
            raise

    def close(self) -> None:
        """End the threads; what has not begun is dropped."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    async def aclose(self) -> None:
        """End the threads without holding the loop."""
        await asyncio.to_thread(self.close)


def _step_back() -> None:
    """Lower the thread's priority (Linux has one per thread): while processors are short, session checks go first."""
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
