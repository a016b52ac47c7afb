"""Owns the documentation's access table, printed from the contracts: ``python -m services.gateway.access_table``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from services.gateway import contracts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.kit.policy import Method

COLUMNS = ("Method", "HTTP", "Callers", "As", "Freshness", "Limit", "Record", "Activity", "Largest body")


def rows(methods: Sequence[Method]) -> list[tuple[str, ...]]:
    """Return one row per method."""
    return [_row(method) for method in methods]


def markdown(methods: Sequence[Method]) -> str:
    """Return the table as Markdown."""
    lines = [COLUMNS, tuple("---" for _ in COLUMNS), *rows(methods)]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


def _row(method: Method) -> tuple[str, ...]:
    policy = method.policy
    http = "<br>".join(f"`{binding.verb} {binding.path}`" for binding in method.bindings)
    return (
        f"`{method.full_name[1:]}`",
        http or "-",
        ", ".join(sorted(policy.callers)),
        policy.subject.name.lower(),
        "-" if policy.fresh_within is None else f"{policy.fresh_within:g} s",
        policy.rate.name.lower(),
        ", or ".join(f"`{action}`" for action in (policy.action, *policy.alternatives) if action) or "none",
        "no" if policy.passive else "yes",
        f"{policy.max_request_bytes} B",
    )


def document() -> str:
    """Return the page ``docs/access.md``."""
    return "# Who may call what\n\nPrinted from the contracts by `make protos`.\n\n" + markdown(contracts.methods())


def main() -> int:
    """Print the page."""
    sys.stdout.write(document())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
