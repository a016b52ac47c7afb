"""When a record cannot be written, what it is about is refused, soon and clearly; and it goes on by itself.

A full disk is a limit on how large the process's files may grow: the writes fail as they do on a full one.
"""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import psycopg
import pytest
from sqlalchemy import make_url

from services.kit.db import DatabaseConfig
from tests.integration import auth_stage, files_stage
from tests.integration.audit_stage import IDS, Producer, Stage, event, stage
from tests.integration.auth_stage import Mailbox, mail_server
from tests.integration.test_audit_service import reason, signed
from tests.support.cut import Cut
from tests.support.pki import Pki
from valv.audit.v1 import append_pb2, append_pb2_grpc
from valv.files.v1 import file_pb2

pytestmark = pytest.mark.clause("P5", "ASVS 16.5.3")
SECONDS = 5.0
"""What is promised. That a call's waits add up to less is tested in tests/contract/test_database.py, and that all who
wait share them in tests/unit/audit/test_appender.py."""
MACHINE_SECONDS = 2.5
"""What a busy machine may add: no more than one wait, so that two too many are found here, too."""
AGAIN_SECONDS = 30.0
PRODUCERS = ("files", "auth", "billing", "gateway")


@contextmanager
def full_disk(pid: int) -> Iterator[None]:
    """No file of the process may grow beyond a byte."""
    _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, most))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))


async def refused(act: Callable[[], Awaitable[object]]) -> str:
    """The reason an action is refused for, soon."""
    started = time.monotonic()
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await act()
    assert time.monotonic() - started <= SECONDS + MACHINE_SECONDS
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE
    return reason(error.value)


async def goes_on(act: Callable[[], Awaitable[object]]) -> None:
    """It works again, without anybody's doing."""
    async with asyncio.timeout(AGAIN_SECONDS):
        while True:
            try:
                await act()
            except grpc.aio.AioRpcError as error:
                assert error.code() is grpc.StatusCode.UNAVAILABLE  # noqa: PT017 - the loop needs the other branch
                await asyncio.sleep(0.2)
            else:
                return


async def test_a_producer_whose_disk_is_full_refuses_and_resumes(tmp_path: Path) -> None:
    async with files_stage.staged(tmp_path) as producer, producer.files() as files:
        metadata = producer.metadata(sub=IDS.new("usr"))

        async def read() -> object:
            call: Any = files.ListFiles  # the stub's types know only the blocking kind
            return await call(file_pb2.ListFilesRequest(), metadata=metadata, timeout=20)

        await goes_on(read)  # until auth's stream is heard

        async def reads() -> int:
            return sum(event.action == "files.file.list" for event in await producer.events())

        before = await reads()
        with full_disk(producer.pid):
            assert await refused(read) == "AUDIT_UNAVAILABLE"
            assert await refused(read) == "AUDIT_UNAVAILABLE"
        assert await reads() == before
        await goes_on(read)
        assert await reads() > before


async def test_a_full_log_refuses_loses_nothing_and_resumes(tmp_path: Path) -> None:
    async with stage(tmp_path) as log:
        await log.start()
        await _refuses_and_resumes(log, lambda: full_disk(log.pid))


async def _refuses_and_resumes(log: Stage, away: Callable[[], Any]) -> None:
    """Each of four producers that send at once is refused in time, twice, and goes on."""
    async with AsyncExitStack() as stack:
        channels = [await stack.enter_async_context(log.channel(role)) for role in PRODUCERS]
        producers = [Producer(append_pb2_grpc.AppendServiceStub(channel)) for channel in channels]

        async def send(producer: Producer) -> int:
            return await producer.append(event(IDS.new("usr")))

        async def resume(producer: Producer) -> None:
            held = await producer.stub.GetHead(append_pb2.GetHeadRequest(), timeout=10)
            producer.sent = held.highest_number
            await send(producer)

        await asyncio.gather(*(goes_on(partial(send, each)) for each in producers))
        with away():
            await asyncio.sleep(0.5)  # up to where the log is signed is known for a fifth of a second
            for _ in range(2):
                await asyncio.gather(*(refused(partial(send, each)) for each in producers))
        await asyncio.gather(*(goes_on(partial(resume, each)) for each in producers))
        assert all(each.sent >= 2 for each in producers)
        edge = await stack.enter_async_context(log.channel("envoy"))
        await signed(edge, sum(each.sent for each in producers))


@pytest.mark.parametrize("which", ["all", "migrations_checkpoint"])
@pytest.mark.parametrize("how", ["stops", "hangs"])
async def test_a_database_that_stops_or_hangs_is_waited_for(
    how: str, which: str, tmp_path: Path, postgres_server: str
) -> None:
    url = make_url(postgres_server)
    cut = Cut(str(url.host), int(url.port or 5432))
    names = [f"closed_{name}_{IDS.new('hld')[-8:]}" for name in ("main", "keys", "heads")]
    with psycopg.connect(
        url.set(drivername="postgresql").render_as_string(hide_password=False), autocommit=True
    ) as sql:
        for name in names:
            sql.execute(f'CREATE DATABASE "{name}"')
    async with cut.opened():
        folders = ("migrations", "migrations_keys", "migrations_checkpoint")
        through = url.set(host="127.0.0.1", port=cut.port)
        stores = {
            folder: DatabaseConfig(
                (through if which in {"all", folder} else url).set(database=name).render_as_string(hide_password=False)
            )
            for folder, name in zip(folders, names, strict=True)
        }
        async with stage(tmp_path, stores) as log:
            await log.start()
            await _refuses_and_resumes(log, cut.away if how == "stops" else cut.silent)


async def test_a_producer_whose_database_hangs_refuses_and_resumes(tmp_path: Path, postgres_url: str) -> None:
    url = make_url(postgres_url)
    cut = Cut(str(url.host), int(url.port or 5432))
    async with cut.opened():
        through = url.set(host="127.0.0.1", port=cut.port).render_as_string(hide_password=False)
        async with files_stage.staged(tmp_path, database=through) as producer, producer.files() as files:
            metadata = producer.metadata(sub=IDS.new("usr"))

            async def read() -> object:
                call: Any = files.ListFiles
                return await call(file_pb2.ListFilesRequest(), metadata=metadata, timeout=20)

            await goes_on(read)
            with cut.silent():
                many = await asyncio.gather(*(refused(read) for _ in range(12)))  # more than the pool has
                assert set(many) <= {"UNAVAILABLE", "AUDIT_UNAVAILABLE"}
                assert await refused(read) in {"UNAVAILABLE", "AUDIT_UNAVAILABLE"}
            await goes_on(read)


async def test_nobody_is_signed_in_by_a_database_that_hangs(tmp_path: Path, postgres_url: str) -> None:
    url, mailbox, anna = make_url(postgres_url), Mailbox(), "anna@example.com"
    cut = Cut(str(url.host), int(url.port or 5432))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(cut.opened())
        mail_port = await stack.enter_async_context(mail_server(mailbox))
        through = url.set(host="127.0.0.1", port=cut.port).render_as_string(hide_password=False)
        hints = 'shared = { hints = "postgresql" }'
        auth = auth_stage.Stage(tmp_path, Pki(tmp_path), mail_port, through, hints)
        stack.push_async_callback(auth.stop)
        await auth.start()
        customer = await stack.enter_async_context(auth_stage.edge(auth))
        await customer.sign_up(anna)
        await customer.confirm(await mailbox.token(anna))
        token = await customer.sign_in(anna)
        acts: dict[str, Callable[[], Awaitable[object]]] = {
            "renewal": lambda: customer.renew(token),
            "sign-in": lambda: customer.sign_in(anna),
            "sign-in with another password": lambda: customer.sign_in(anna, "not what a lighthouse keeper counts"),
            "sign-up": lambda: customer.sign_up("bo@example.com"),
            "confirmation": lambda: customer.confirm("x" * 43),
        }
        with cut.silent():
            for name, act in acts.items():
                reasons = await asyncio.gather(*(refused(act) for _ in range(4)))
                assert set(reasons) <= {"UNAVAILABLE", "AUDIT_UNAVAILABLE"}, name
        await goes_on(acts["sign-in"])
