"""Owns the choice between containers and native processes, and the fixtures that give each test its own database.

VALV_TEST_BACKEND is auto (containers where they can be had, else native), docker (fail when they cannot) or native. The
choice is printed in pytest's header. Never skips a test because a server is missing.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from tests.support.servers import S3Endpoint, Servers

WISH = "VALV_TEST_BACKEND"
CHOICE = "VALV_TEST_BACKEND_CHOSEN"
SERVERLESS = tuple(Path(__file__).parents[1] / layer for layer in ("unit", "architecture"))


def pytest_configure(config: pytest.Config) -> None:
    """Chooses once; the workers of pytest-xdist inherit the choice."""
    if CHOICE in os.environ:
        return
    wish = os.environ.get(WISH, "auto")
    if wish not in {"auto", "docker", "native"}:
        raise pytest.UsageError(f"{WISH} is {wish!r}; it must be auto, docker or native")
    asked = [Path(argument.split("::")[0]).resolve() for argument in config.args]
    if all(path.is_relative_to(SERVERLESS[0]) or path.is_relative_to(SERVERLESS[1]) for path in asked):
        reason = "these tests use none"
    else:
        reason = "as asked" if wish == "native" else import_module("tests.support.containers").unavailable()
        if reason and wish == "docker":
            raise pytest.UsageError(f"{WISH}=docker, but {reason}")
    os.environ[CHOICE] = f"native ({reason})" if reason else "docker"


def pytest_unconfigure() -> None:
    """Forgets the choice."""
    os.environ.pop(CHOICE, None)


def pytest_report_header() -> str:
    """Prints the choice."""
    chosen = os.environ[CHOICE]
    if chosen != "docker":
        return f"test servers: {chosen}"
    containers = import_module("tests.support.containers")
    return f"test servers: docker: {', '.join(containers.image(name) for name in containers.SERVERS)}"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips, with the reason, what needs a container engine by its nature."""
    if item.get_closest_marker("docker") and os.environ[CHOICE] != "docker":
        pytest.skip(f"needs a container engine; test servers are {os.environ[CHOICE]}")


@pytest.fixture(scope="session")
def servers() -> Servers:
    """The chosen way to start servers; loaded now, since most runs of unit tests need none of it."""
    if os.environ[CHOICE] == "docker":
        chosen: Servers = import_module("tests.support.containers").ContainerServers()
    else:
        chosen = import_module("tests.support.native").NativeServers()
    return chosen


@pytest.fixture(scope="session")
def postgres_server(servers: Servers) -> Iterator[str]:
    """One PostgreSQL for the session (and worker): the URL of its maintenance database."""
    with servers.postgres() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """An empty PostgreSQL database that belongs to this test, as a SQLAlchemy URL (postgresql+psycopg)."""
    psycopg = import_module("psycopg")
    name = f"test_{secrets.token_hex(6)}"
    admin = postgres_server.replace("+psycopg", "")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
        yield postgres_server.rsplit("/", 1)[0] + f"/{name}"
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(scope="session")
def redis_server(servers: Servers) -> Iterator[str]:
    """One Valkey for the session (and worker)."""
    with servers.valkey() as url:
        yield url


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """An empty Valkey, as a redis:// URL."""
    with import_module("redis").Redis.from_url(redis_server) as client:
        client.flushall()
    return redis_server


@pytest.fixture(scope="session")
def s3_server(servers: Servers) -> Iterator[S3Endpoint]:
    """One S3 server for the session (and worker)."""
    with servers.s3() as endpoint:
        yield endpoint


@pytest.fixture
def s3_endpoint(s3_server: S3Endpoint) -> S3Endpoint:
    """An S3 server with an empty bucket that belongs to this test."""
    bucket = f"test-{secrets.token_hex(6)}"
    client = import_module("boto3").client(
        "s3",
        endpoint_url=s3_server.url,
        aws_access_key_id=s3_server.access_key,
        aws_secret_access_key=s3_server.secret_key,
        region_name=s3_server.region,
    )
    client.create_bucket(Bucket=bucket)
    client.close()
    return replace(s3_server, bucket=bucket)
