"""A small witness, written from c2sp.org/tlog-witness@v1.0.0, that can be away, slow or false.

Owns what it has cosigned last, of one log. Keeps nothing on a disk.
"""

from __future__ import annotations

import base64
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit.checkpoint import Checkpoint, CheckpointError, open_checkpoint, parse
from services.audit.merkle import ProofError, check_consistency
from services.audit.note import Verifier
from services.kit.clock import Clock


class TestWitness:
    """A witness of one log."""

    __test__ = False

    def __init__(self, log: Verifier, clock: Clock, name: str = "witness.example/w1") -> None:
        self.log, self.name, self.clock = log, name, clock
        self.key = Ed25519PrivateKey.generate()
        self.latest: tuple[Checkpoint, bytes] | None = None
        self.behaviour = "honest"
        self.asked: list[tuple[str, int]] = []
        self.url = ""
        self._lock = threading.Lock()

    @property
    def vkey(self) -> str:
        """Its verifier key."""
        material = b"\x04" + self.key.public_key().public_bytes_raw()
        return f"{self.name}+{self._key_id.hex()}+{base64.b64encode(material).decode()}"

    @property
    def _key_id(self) -> bytes:
        material = b"\x04" + self.key.public_key().public_bytes_raw()
        return sha256(self.name.encode() + b"\n" + material).digest()[:4]

    def _now(self) -> int:
        return int(self.clock.now().timestamp())

    def cosign(self, text: str, *, key: Ed25519PrivateKey | None = None, at: int | None = None) -> bytes:
        """Return the signature line over a checkpoint."""
        now = self._now() if at is None else at
        signature = (key or self.key).sign(f"cosignature/v1\ntime {now}\n{text}".encode())
        blob = base64.b64encode(self._key_id + now.to_bytes(8) + signature).decode()
        return f"\u2014 {self.name} {blob}\n".encode()

    def answer(self, body: bytes) -> tuple[int, str, bytes]:
        """Answer an add-checkpoint request: status, content type, body."""
        head, _, note = body.partition(b"\n\n")
        first, *lines = head.decode().split("\n")
        old, proof = int(first.removeprefix("old ")), [base64.b64decode(line) for line in lines]
        if parse(note.decode().partition("\n\n")[0] + "\n").origin != self.log.name:
            return 404, "text/plain", b""
        try:
            new = open_checkpoint(note, self.log)
        except CheckpointError:
            return 403, "text/plain", b""
        with self._lock:
            return self._judge(old, new, proof, note)

    def _judge(self, old: int, new: Checkpoint, proof: list[bytes], note: bytes) -> tuple[int, str, bytes]:
        seen = self.latest[0] if self.latest is not None else Checkpoint(self.log.name, 0, sha256().digest())
        self.asked.append((new.text, old))
        if old > new.size:
            return 400, "text/plain", b""
        if old != seen.size or (old == new.size and new.root != seen.root):
            return 409, "text/x.tlog.size", f"{seen.size}\n".encode()
        try:
            if old:
                check_consistency(old, new.size, proof, seen.root, new.root)
        except ProofError:
            return 422, "text/plain", b""
        if self.behaviour == "wrong key":
            return 200, "text/plain", self.cosign(new.text, key=Ed25519PrivateKey.generate())
        if self.behaviour == "from the future":
            return 200, "text/plain", self.cosign(new.text, at=self._now() + 86400)
        if self.behaviour == "another checkpoint":
            return 200, "text/plain", self.cosign(Checkpoint(new.origin, new.size, bytes(32)).text)
        if self.behaviour == "forgets":
            return 200, "text/plain", self.cosign(new.text)
        self.latest = new, note + self.cosign(new.text)
        stranger = base64.b64encode(b"\x06\x06\x06\x06" + bytes(2420)).decode()  # of a kind we do not know
        return 200, "text/plain", f"\u2014 {self.name} {stranger}\n".encode() + self.cosign(new.text)

    @contextmanager
    def serve(self, context: ssl.SSLContext | None = None) -> Iterator[TestWitness]:
        """Serve on a loopback port."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        server.daemon_threads = True
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "http" if context is None else "https"
        self.url = f"{scheme}://localhost:{server.server_port}/w"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        witness = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.path == "/w/add-checkpoint"
                self._say(*witness.answer(body))

            def do_GET(self) -> None:
                known = witness.latest is not None and self.path == (
                    f"/m/{sha256(witness.log.name.encode()).hexdigest()}/checkpoint"
                )
                self._say(*((200, "text/plain", witness.latest[1]) if known and witness.latest else (404, "", b"")))

            def _say(self, status: int, kind: str, body: bytes) -> None:
                if witness.behaviour == "slow":
                    time.sleep(1.5)
                if witness.behaviour == "away":
                    status, body = 503, b""
                if witness.behaviour == "endless":
                    status, body = 200, b"x" * (1 << 20)
                if witness.behaviour == "redirects":
                    status = 302
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Location", f"{witness.url}/elsewhere")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        return Handler
