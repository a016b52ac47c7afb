"""A TLS handshake in memory, without sockets."""

from __future__ import annotations

import ssl


def handshake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Return both ends, connected; raises what the end that refuses raises."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    caller = client.wrap_bio(down, up, server_hostname=name)
    callee = server.wrap_bio(up, down, server_side=True)
    waiting = [caller, callee]
    for _ in range(10):
        for end in list(waiting):
            try:
                end.do_handshake()
                waiting.remove(end)
            except ssl.SSLWantReadError:
                continue
        if not waiting:
            return caller, callee
    raise AssertionError("the handshake does not end")
