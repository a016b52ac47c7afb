"""What was said in place of a log, to be looked at."""

from __future__ import annotations

from services.kit.telemetry import Log


class Said(Log):
    """Remembers what was said, in place of a log."""

    def __init__(self) -> None:
        super().__init__("test")
        self.lines: list[tuple[str, str]] = []

    def info(self, name: str, **_fields: object) -> None:
        self.lines.append(("INFO", name))

    def warning(self, name: str, **_fields: object) -> None:
        self.lines.append(("WARNING", name))

    def error(self, name: str, **_fields: object) -> None:
        self.lines.append(("ERROR", name))

    def failure(self, name: str, error: BaseException, **_fields: object) -> None:
        self.lines.append(("FAILURE", name))
