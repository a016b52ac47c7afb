"""A process that dies at a chosen step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any


class PowerCutError(Exception):
    """The process dies here."""


class Fuse:
    """Lets so many calls through to what it guards, then cuts the power, before or after the call."""

    def __init__(self, left: int) -> None:
        self.left = left

    def guard(self, target: object) -> Any:
        fuse = self

        class Guarded:
            def __getattr__(self, name: str) -> Callable[..., Awaitable[object]]:
                method = getattr(target, name)

                async def call(*given: object) -> object:
                    fuse.burn()
                    result = await method(*given)
                    fuse.burn()
                    return result

                return call

        return Guarded()

    def burn(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise PowerCutError
