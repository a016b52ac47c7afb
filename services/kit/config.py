"""Owns the reading of configuration: strict TOML into frozen dataclasses. Secrets come by file path only."""

from __future__ import annotations

import dataclasses
import tomllib
import types
import typing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


class ConfigError(Exception):
    """The configuration is not valid; the message names the key, never a value."""


class Profile(StrEnum):
    """What the process is run for."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


@dataclass(frozen=True)
class ServiceConfig:
    """Where a service listens and how it stops."""

    listen: str
    profile: Profile
    grace_seconds: float = 10.0
    drain_seconds: float = 0.2
    max_calls: int = 512


def load(config_type: type[T], path: Path) -> T:
    """Read a file into a configuration; paths in it are relative to its folder.

    Raises:
        ConfigError: A key is unknown, missing or of the wrong type.
    """
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"{path}: cannot be read as TOML ({type(error).__name__})"
        raise ConfigError(message) from error
    return _table(config_type, table, "", path.parent.resolve())


def _table(config_type: type[T], table: dict[str, Any], where: str, folder: Path) -> T:
    hints = get_type_hints(config_type)
    fields = {field.name: field for field in dataclasses.fields(typing.cast("Any", config_type)) if field.init}
    unknown = sorted(set(table) - set(fields))
    if unknown:
        message = f"unknown key: {where}{unknown[0]}"
        raise ConfigError(message)
    values = {}
    for name, field in fields.items():
        if name in table:
            values[name] = _value(hints[name], table[name], where + name, folder)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            message = f"missing key: {where}{name}"
            raise ConfigError(message)
    try:
        return config_type(**values)
    except ValueError as error:
        message = f"not valid: {where or 'configuration'} ({error})"
        raise ConfigError(message) from error


def _value(hint: Any, value: Any, where: str, folder: Path) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        (hint,) = (argument for argument in arguments if argument is not type(None))
        return _value(hint, value, where, folder)
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return _table(typing.cast("type[Any]", hint), value, where + ".", folder)
    if origin is tuple and isinstance(value, list):
        return tuple(_value(arguments[0], item, f"{where}[{index}]", folder) for index, item in enumerate(value))
    if origin is dict and isinstance(value, dict):
        return {key: _value(arguments[1], item, f"{where}.{key}", folder) for key, item in value.items()}
    if hint is Path and isinstance(value, str):
        return folder / value
    if isinstance(hint, type) and issubclass(hint, StrEnum) and value in list(hint):
        return hint(value)
    if hint is float and type(value) in (int, float):
        return float(value)
    if hint in (str, int, bool) and type(value) is hint:
        return value
    message = f"wrong type: {where}"
    raise ConfigError(message)
