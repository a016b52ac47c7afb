"""Every service's image: it builds from its own lock, holds only its own code, and runs as nobody without a network."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from tests.architecture.repository import ROOT, SERVICES
from tests.support.containers import LABELS, image

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

LOOK = """
import importlib, os, pathlib, sys
importlib.import_module("services.{service}.app")
rooms = sorted(path.name for path in pathlib.Path("services").iterdir() if path.is_dir())
print(os.getuid(), *rooms)
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env(timeout=300)
    yield client
    client.close()


def build(engine: docker.DockerClient, service: str) -> str:
    tag, arguments = f"valv-test/{service}", {"PYTHON_IMAGE": image("python")}
    engine.images.build(
        path=str(ROOT), dockerfile=f"services/{service}/Dockerfile", buildargs=arguments, tag=tag, rm=True
    )
    return tag


@pytest.mark.clause("P3")
@pytest.mark.parametrize("service", SERVICES)
def test_an_image_starts_as_nobody_and_holds_one_service(engine: docker.DockerClient, service: str) -> None:
    output = engine.containers.run(
        build(engine, service),
        ["-c", LOOK.format(service=service)],
        entrypoint=["python3"],
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        network_mode="none",
        labels=LABELS,
        remove=True,
    )
    assert output.decode().split() == ["65534", *sorted(["kit", service])]
