"""Owns the choice of TLS suites for the whole process, made by restarting it before anything is loaded.

Must import nothing of ours and nothing that is installed: all of it would be loaded twice.
"""

import os
import sys
from pathlib import Path

_OPENSSL_CONF = Path(__file__).with_name("openssl.cnf")


def pin_suites(module: str) -> None:
    """Restart this process, once, with the OpenSSL configuration that offers 256-bit suites only.

    The process keeps its id, arguments and environment. Must be called before anything else runs.
    """
    wanted = str(_OPENSSL_CONF)
    if os.environ.get("OPENSSL_CONF") != wanted:
        arguments = [sys.executable, "-m", module, *sys.argv[1:]]
        os.execve(sys.executable, arguments, {**os.environ, "OPENSSL_CONF": wanted})  # noqa: S606 - ourselves
