"""A way to a server that can be cut, or on which nothing is heard any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager


class Cut:
    """A way to a server on a port of its own."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._away = False
        self._heard = asyncio.Event()
        self._heard.set()
        self.port = 0

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Cut]:
        """Let connections through until the end of the block."""
        self._server = await asyncio.start_server(self._begin, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        try:
            yield self
        finally:
            self._server.close()
            self._hang_up()
            if self._serving:
                await asyncio.wait(self._serving)

    @contextmanager
    def away(self) -> Iterator[None]:
        """Refuse every connection, and end those there are: the server has stopped."""
        self._away = True
        self._hang_up()
        try:
            yield
        finally:
            self._away = False

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Keep every connection open and take new ones, and let nothing through: the server hangs."""
        self._heard.clear()
        try:
            yield
        finally:
            self._heard.set()

    def _hang_up(self) -> None:
        for each in self._open:
            each.transport.abort()

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._away:
            writer.transport.abort()
            return
        await self._heard.wait()
        server_reader, server = await asyncio.open_connection(self._host, self._port)
        self._open |= {writer, server}
        await asyncio.gather(self._pour(reader, server), self._pour(server_reader, writer))
        self._open -= {writer, server}

    async def _pour(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(1 << 16):
                await self._heard.wait()
                target.write(data)
                await target.drain()
        except OSError:
            pass
        finally:
            target.close()
