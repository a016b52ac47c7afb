"""Producers at audit's port, in a process of their own: each appends batch after batch as a relay does.

Prints the seconds from the first append to the last answer. Arguments: the certificates' folder, the port, a number.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

import grpc

from tests.integration.audit_stage import IDS, Producer, event
from tests.support.pki import Pki
from valv.audit.v1 import append_pb2_grpc, event_pb2

ROLES = ("auth", "files", "billing", "gateway")
BATCH = 256
SUBJECTS = 100


async def produce(folder: Path, port: int, records: int) -> float:
    """Append so many records; returns how long it took."""
    pki, subjects = Pki(folder), [IDS.new("usr") for _ in range(SUBJECTS)]
    events = [event(subjects[number % SUBJECTS]) for number in range(records)]
    options = (("grpc.ssl_target_name_override", f"audit.{pki.domain}"), ("grpc.enable_http_proxy", 0))
    async with AsyncExitStack() as stack:
        producers = []
        for role in ROLES:
            credentials = pki.material(role).channel_credentials()
            channel = grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options)
            producers.append(Producer(append_pb2_grpc.AppendServiceStub(await stack.enter_async_context(channel))))
        for number, producer in enumerate(producers):
            await producer.append(*[event(subject) for subject in subjects[number :: len(ROLES)]])
        share = records // len(ROLES)
        begun = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number, producer in enumerate(producers):
                group.create_task(_append(producer, events[number * share : (number + 1) * share]))
        return time.perf_counter() - begun


async def _append(producer: Producer, events: list[event_pb2.Event]) -> None:
    for start in range(0, len(events), BATCH):
        await producer.append(*events[start : start + BATCH])


if __name__ == "__main__":
    sys.stdout.write(f"{asyncio.run(produce(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))}\n")
