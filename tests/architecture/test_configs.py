from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from deploy.cli.layout import Layout
from deploy.cli.prepare import TEMPLATES, render
from services.kit.config import ConfigError, load
from tests.architecture.repository import ROOT, SERVICES

DEVELOPMENT = sorted(path.stem for path in TEMPLATES.glob("*.toml"))


def read(path: Path) -> object:
    package = "services" if path.stem in SERVICES else "deploy.sandbox"
    config: type[object] = import_module(f"{package}.{path.stem}.config").Config
    return load(config, path)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    layout = Layout(tmp_path_factory.mktemp("state"))
    layout.configs.mkdir(parents=True)
    render(layout)
    return layout.configs


@pytest.mark.parametrize("name", DEVELOPMENT)
def test_every_configuration_of_make_run_loads(name: str, rendered: Path) -> None:
    assert read(rendered / f"{name}.toml")


def test_every_configuration_shipped_for_other_places_loads() -> None:
    for path in (ROOT / "deploy/config").rglob("*.toml"):
        assert path.parent == TEMPLATES or read(path)


@pytest.mark.parametrize("name", DEVELOPMENT)
def test_a_key_that_nobody_reads_is_an_error(name: str, rendered: Path, tmp_path: Path) -> None:
    misspelt = tmp_path / f"{name}.toml"
    misspelt.write_text('lisen = "127.0.0.1:1"\n' + (rendered / f"{name}.toml").read_text())
    with pytest.raises(ConfigError, match="unknown key"):
        read(misspelt)


def test_every_service_is_configured() -> None:
    assert set(SERVICES) <= set(DEVELOPMENT)
