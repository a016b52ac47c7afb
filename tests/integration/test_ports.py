"""`valv run` says which port is taken instead of talking to a stranger on it."""

from __future__ import annotations

import socket

from deploy.cli.layout import Ports
from tests.support.live import free_ports


def test_a_taken_port_is_told() -> None:
    ports = Ports.of(free_ports(len(Ports.__dataclass_fields__)))
    assert ports.taken() == []
    with socket.create_server(("127.0.0.1", ports.audit)):
        assert ports.taken() == [ports.audit]
