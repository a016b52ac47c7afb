"""The whole of Valv as `make run` starts it, through Envoy, with traces written: what a client gets.

The client is one Python process on the same cores, so its own cost is measured too. Uploads and downloads go through a
bare TLS socket, because an HTTP library would be the slowest part.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx

from deploy.cli.layout import REPOSITORY, Ports
from tests.bench import pocketbase
from tests.bench.bench_auth import hashes_per_second
from tests.bench.bench_files import copy
from tests.support.live import Live
from tests.support.person import Person, newcomer

SIGN_INS = 400
CUSTOMERS = 12
REQUESTS = 1000
MEGABYTES = 256
AT_ONCE = 8
PIECE = 1 << 20
ROUNDS = 2
_MODULES = (*(f"services.{name}.app" for name in ("auth", "files", "billing", "audit", "gateway")),)
_SANDBOXES = ("deploy.sandbox.psp.app", "deploy.sandbox.shop.app", "deploy.sandbox.mail.__main__")
_NO_LIMIT = "[rates.{}]\nrequests = 20\nseconds = 1\nburst = 1000000\n"


def run() -> dict[str, float]:
    """Measure; rates per second, megabytes of 10^6 bytes."""
    with tempfile.TemporaryDirectory(prefix="valv-bench-") as folder:
        numbers = _start(Path(folder) / "start")
        live = Live(Path(folder) / "live")
        try:
            unlimited(live)
            live.start()
            person = newcomer(live)
            known = [_known(newcomer(live)) for _ in range(CUSTOMERS)]
            with pocketbase.running(Path(folder)) as peer:
                numbers |= asyncio.run(_calls(live, person, known, peer))
            numbers |= _bytes(live, person, Path(folder))
        finally:
            live.close()
    return numbers


def _start(state: Path) -> dict[str, float]:
    """Start the command twice; beside the second, the processes' imports alone, all at once."""
    _serve(state)
    second = _serve(state)
    begun = time.perf_counter()
    importing = [subprocess.Popen([sys.executable, "-c", f"import {name}"]) for name in (*_MODULES, *_SANDBOXES)]
    for one in importing:
        one.wait()
    imports = time.perf_counter() - begun
    return {
        "second_start_seconds": second,
        "imports_alone_seconds": imports,
        "start_to_imports_ratio": second / imports,
    }


def _serve(state: Path) -> float:
    first = _ports_in_a_row(len(Ports.__dataclass_fields__))
    kept = state / "first-port"
    if kept.exists():  # other ports would make another configuration
        first = int(kept.read_text("utf-8"))
    command = [sys.executable, "-m", "deploy.cli", "run", "--state", str(state), "--first-port", str(first)]
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as running:
        lines: list[str] = []
        for line in running.stdout or ():
            lines.append(line)
            if line.startswith("Valv serves"):
                break
        seconds = time.perf_counter() - begun
        running.terminate()
        running.communicate()
    if not lines or not lines[-1].startswith("Valv serves"):
        raise RuntimeError("".join(lines))
    kept.write_text(str(first), "utf-8")
    return seconds


def _ports_in_a_row(count: int) -> int:
    for first in range(24000, 32000, count):
        try:
            for port in range(first, first + count):
                with socket.socket() as one:
                    one.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise RuntimeError("no free ports in a row")


def unlimited(live: Live) -> None:
    """Lift the limits per client address: here all clients are one."""
    path = live.layout.configs / "gateway.toml"
    text = path.read_text("utf-8").partition("\n[rates.")[0]
    classes = ("public", "credential", "customer", "transfer")
    path.write_text("\n".join((text, *(_NO_LIMIT.format(each) for each in classes))), "utf-8")


def _known(person: Person) -> dict[str, str]:
    """Return what somebody sends who signs in again from a device that Valv knows."""
    body = {"email": person.email, "password": person.password, "delivery": "TOKEN_DELIVERY_BODY"}
    reply = person.http.post("/v1/session:signIn", json=body).raise_for_status().json()
    return {**body, "deviceToken": str(reply["deviceToken"])}


async def _calls(live: Live, person: Person, known: list[dict[str, str]], peer: pocketbase.Peer) -> dict[str, float]:
    limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
    async with httpx.AsyncClient(base_url=live.address, verify=live.trust, limits=limits, timeout=30) as client:
        only = {"Valv-Session": person.token}

        async def asked(path: str, headers: dict[str, str]) -> None:
            (await client.get(path, headers=headers)).raise_for_status()

        turns = cycle(known)

        async def signed_in() -> None:
            (await client.post("/v1/session:signIn", json=next(turns))).raise_for_status()

        hashes = sign_ins = bearer = renewed = spent = peers_sign_ins = peers_reads = 0.0
        for _ in range(ROUNDS):  # in turn, so that all meet the same machine
            hashes += hashes_per_second(SIGN_INS // ROUNDS) / ROUNDS
            sign_ins += (await rate(signed_in, SIGN_INS // ROUNDS))[0] / ROUNDS
            peers_sign_ins += (await rate(partial(peer.sign_in, client), SIGN_INS // ROUNDS))[0] / ROUNDS
            fresh = (await client.get("/v1/files", headers=only)).headers["valv-assertion"]
            both = {**only, "Valv-Assertion": fresh}
            per_second, cost = await rate(partial(asked, "/v1/session", both), REQUESTS // ROUNDS)
            bearer, spent = bearer + per_second / ROUNDS, spent + cost / ROUNDS
            peers_reads += (await rate(partial(peer.read, client), REQUESTS // ROUNDS))[0] / ROUNDS
            renewed += (await rate(partial(asked, "/v1/session", only), REQUESTS // ROUNDS))[0] / ROUNDS
    return {
        "hashes_alone_per_second": hashes,
        "sign_ins_per_second": sign_ins,
        "sign_ins_to_hashes_ratio": sign_ins / hashes,
        "pocketbase_sign_ins_per_second": peers_sign_ins,
        "sign_ins_to_pocketbase_ratio": sign_ins / peers_sign_ins,
        "session_route_per_second": bearer,
        "pocketbase_signed_in_reads_per_second": peers_reads,
        "session_route_to_pocketbase_ratio": bearer / peers_reads,
        "session_route_renewed_each_time_per_second": renewed,
        "client_cpu_ms_per_request": spent * 1000,
    }


async def rate(one: Callable[[], Awaitable[None]], count: int) -> tuple[float, float]:
    """Return how many a second, and the client's own CPU seconds for each."""
    left = iter(range(count))

    async def work() -> None:
        for _ in left:
            await one()

    begun, spent = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return count / (time.perf_counter() - begun), (time.process_time() - spent) / count


def _bytes(live: Live, person: Person, folder: Path) -> dict[str, float]:
    size = MEGABYTES << 20
    copied, recopied = copy(folder / "plain", size, secrets.token_bytes(PIECE))
    begun, spent = time.perf_counter(), time.process_time()
    file = _upload(live, person, size)
    up = size / (time.perf_counter() - begun) / 1e6
    between = time.perf_counter()
    _download(live, person, file, size)
    down = size / (time.perf_counter() - between) / 1e6
    share = (time.process_time() - spent) / (time.perf_counter() - begun)
    return {
        "copy_in_mb_per_second": copied,
        "upload_mb_per_second": up,
        "upload_to_copy_ratio": up / copied,
        "copy_out_mb_per_second": recopied,
        "download_mb_per_second": down,
        "download_to_copy_ratio": down / recopied,
        "client_cpu_share_of_a_core": share,
    }


def _upload(live: Live, person: Person, size: int) -> str:
    piece = os.urandom(PIECE)
    with _open(live) as connection:
        head = _head(live, person, "POST", "/v1/files:upload?displayName=bench", f"Content-Length: {size}\r\n")
        connection.sendall(head)
        for _ in range(size // PIECE):
            connection.sendall(piece)
        answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    reply: dict[str, Any] = httpx.Response(200, content=answer.split(b"\r\n\r\n", 1)[1]).json()
    return str(reply["fileId"])


def _download(live: Live, person: Person, file: str, size: int) -> None:
    room = bytearray(PIECE)
    with _open(live) as connection:
        connection.sendall(_head(live, person, "GET", f"/v1/files/{file}/content"))
        total = 0
        while got := connection.recv_into(room):
            total += got
    if total < size:
        raise RuntimeError(f"{total} bytes of {size}")


def _open(live: Live) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", live.layout.ports.edge), timeout=60)
    return live.trust.wrap_socket(plain, server_hostname="localhost")


def _head(live: Live, person: Person, verb: str, path: str, more: str = "") -> bytes:
    host = f"localhost:{live.layout.ports.edge}"
    fixed = f"Host: {host}\r\nValv-Session: {person.token}\r\nConnection: close\r\n"
    return f"{verb} {path} HTTP/1.1\r\n{fixed}{more}\r\n".encode()
