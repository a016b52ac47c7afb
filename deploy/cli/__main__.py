"""The command `valv`: what an operator or a developer does with an installation."""

from __future__ import annotations

import importlib
import os
import sys

COMMANDS = {
    "run": "serve the whole of Valv on this machine, with its sandboxes",
    "migrate": "bring a service's databases to the newest schema",
    "operator": "issue a personal certificate to an operator",
    "accounts": "find, disable and enable accounts and end their sessions, as an operator",
    "audit": "the log, as an operator: searches, receipts, legal holds, retention, what an erasure left",
    "account": "export your own account into an archive, with proofs",
    "practices": "tell how the promises stand, with the alerts that are open",
    "verify": "check receipts, checkpoints, exports or a whole log, offline",
}


def main() -> int:
    """Run the command that the first argument names; returns the exit code."""
    name, arguments = (sys.argv[1] if len(sys.argv) > 1 else ""), sys.argv[2:]
    if name not in COMMANDS:
        sys.stdout.write("usage: valv <command>\n\n")
        sys.stdout.write("".join(f"  {name:10} {about}\n" for name, about in COMMANDS.items()))
        return 0 if name in ("", "help", "--help") else 2
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # read when gRPC is loaded: its own lines are not for people
    return int(importlib.import_module(f"deploy.cli.{name}").main(arguments))


if __name__ == "__main__":
    raise SystemExit(main())
