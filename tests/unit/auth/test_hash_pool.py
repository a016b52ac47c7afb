"""The pool is bounded: threads, waiting calls, and nothing slips in when callers leave."""

from __future__ import annotations

import asyncio
import os
import sys
import threading

import pytest

from services.auth.hash_pool import HashPool
from services.kit.faults import OVERLOADED, Fault


async def test_what_does_not_fit_is_refused_at_once() -> None:
    pool = HashPool(1, 1)
    with pool.place(), pool.place():
        with pytest.raises(Fault) as refused, pool.place():
            pass
        assert refused.value.reason is OVERLOADED
        assert refused.value.retry_after
    with pool.place():
        pass
    pool.close()


async def test_no_more_run_at_once_than_there_are_workers() -> None:
    pool = HashPool(2, 20)
    running, most, lock = 0, 0, threading.Lock()
    gate = threading.Semaphore(0)

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        gate.acquire()
        with lock:
            running -= 1

    tasks = [asyncio.create_task(pool.run(work)) for _ in range(8)]
    await asyncio.sleep(0.05)
    for _ in range(8):
        gate.release()
    await asyncio.gather(*tasks)
    assert most == 2
    pool.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a priority per thread")
async def test_its_threads_give_way_to_the_one_that_serves() -> None:
    pool = HashPool(1, 0)
    mine = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    assert await pool.run(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id())) > mine
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == mine
    pool.close()


async def test_a_caller_that_leaves_keeps_its_place_until_its_thread_is_free() -> None:
    """Else a client that cancels and asks again could fill the executor without end."""
    pool = HashPool(1, 0)
    begun, gate = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        gate.wait(5)

    async def call() -> None:
        with pool.place():
            await pool.run(work)

    task = asyncio.create_task(call())
    await asyncio.to_thread(begun.wait, 5)
    task.cancel()
    await asyncio.sleep(0.02)
    with pytest.raises(Fault), pool.place():
        pass
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pool.place():
        pass
    pool.close()
