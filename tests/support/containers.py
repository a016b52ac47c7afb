"""Owns test servers as containers (testcontainers), and the question whether that is possible on this machine.

Images are public, pinned ones; VALV_TEST_IMAGE_<NAME> names another, such as the stand-ins of deploy/images.
"""

from __future__ import annotations

import gc
import os
import secrets
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import docker
from docker.errors import DockerException, ImageNotFound
from testcontainers.community.postgres import PostgresContainer
from testcontainers.community.valkey import ValkeyContainer
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import HttpWaitStrategy

from tests.support.native import s3_identities
from tests.support.servers import S3Endpoint

IMAGES = {
    "postgres": "postgres:17",
    "valkey": "valkey/valkey:8",
    "seaweedfs": "chrislusf/seaweedfs:4.48",
    "python": "python:3.13-slim",
}
SERVERS = ("postgres", "valkey", "seaweedfs")
# Whoever started this run can find what it left behind if it is killed.
LABELS = {"valv.test-run": os.environ.get("VALV_TEST_RUN", "by-hand")}


def image(name: str) -> str:
    """Returns the image to use for ``name``."""
    return os.environ.get(f"VALV_TEST_IMAGE_{name.upper()}", IMAGES[name])


def unavailable() -> str | None:
    """Says why containers cannot be used here, or None when they can. Pulls images that are missing."""
    client = _engine()
    if client is None:
        return "no container engine answers"
    try:
        client.ping()
        for name in SERVERS:
            try:
                client.images.get(image(name))
            except ImageNotFound:
                client.images.pull(image(name))
    except DockerException:
        return f"the engine answers, but {image(name)} is neither here nor can be pulled"
    finally:
        client.close()
    return None


def _engine() -> docker.DockerClient | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # one that cannot connect leaves its socket to the collector
        with suppress(DockerException):
            return docker.from_env(timeout=600)
        gc.collect()
    return None


class ContainerServers:
    """Servers as containers of the local engine; ports are published on loopback."""

    @contextmanager
    def postgres(self) -> Iterator[str]:
        """Serves PostgreSQL."""
        names: dict[str, Any] = {
            "username": "valv",
            "password": secrets.token_hex(16),
            "dbname": "postgres",
            "driver": "psycopg",
        }
        container = PostgresContainer(image("postgres"), **names)
        with container.with_command(["postgres", "-c", "fsync=off"]).with_kwargs(labels=LABELS):
            yield container.get_connection_url()

    @contextmanager
    def valkey(self) -> Iterator[str]:
        """Serves Valkey."""
        with ValkeyContainer(image("valkey")).with_kwargs(labels=LABELS) as container:
            yield f"redis://{container.get_container_host_ip()}:{container.get_exposed_port()}/0"

    @contextmanager
    def s3(self) -> Iterator[S3Endpoint]:
        """Serves S3 from SeaweedFS."""
        keys = S3Endpoint("", "valv-test", secrets.token_hex(16))
        with tempfile.TemporaryDirectory() as folder:
            config = Path(folder) / "s3.json"
            config.write_text(s3_identities(keys))
            Path(folder).chmod(0o755)
            command = "mini -dir=/data -ip.bind=0.0.0.0 -webdav=false -master.telemetry=false -s3.config=/etc/s3.json"
            container = DockerContainer(image("seaweedfs")).with_command(command).with_exposed_ports(8333)
            container.with_volume_mapping(str(config), "/etc/s3.json", "ro").with_kwargs(labels=LABELS)
            with container.waiting_for(HttpWaitStrategy(8333, "/healthz")):
                url = f"http://{container.get_container_host_ip()}:{container.get_exposed_port(8333)}"
                yield S3Endpoint(url, keys.access_key, keys.secret_key)
