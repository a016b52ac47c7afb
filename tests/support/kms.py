"""A key service that speaks the part of AWS KMS's wire format (JSON 1.1) that wrapping needs. For tests only."""

from __future__ import annotations

import base64
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class FakeKMS:
    """Keys by id; encrypts with AES-GCM, the encryption context as associated data, as KMS does."""

    def __init__(self) -> None:
        self.keys: dict[str, bytes] = {}
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.fails: list[str] = []
        self.url = ""

    def key(self) -> str:
        """Make a key; returns its id."""
        name = f"key-{len(self.keys)}"
        self.keys[name] = secrets.token_bytes(32)
        return name

    def answer(self, target: str, request: dict[str, Any]) -> dict[str, str]:
        """Serve one request; raises ``LookupError`` with the error's name."""
        self.seen.append((target, request))
        if self.fails:
            raise LookupError(self.fails.pop(0))
        bound = json.dumps(request.get("EncryptionContext", {}), sort_keys=True).encode()
        name = str(request["KeyId"])
        if name not in self.keys:
            raise LookupError("NotFoundException")
        if target == "TrentService.Encrypt":
            nonce = secrets.token_bytes(12)
            sealed = AESGCM(self.keys[name]).encrypt(nonce, base64.b64decode(request["Plaintext"]), bound)
            blob = len(name).to_bytes(1, "big") + name.encode() + nonce + sealed
            return {"KeyId": name, "CiphertextBlob": base64.b64encode(blob).decode()}
        blob = base64.b64decode(request["CiphertextBlob"])
        size = blob[0] if blob else 0
        if blob[1 : 1 + size].decode("ascii", "replace") != name:
            known = blob[1 : 1 + size].decode("ascii", "replace") in self.keys
            raise LookupError("IncorrectKeyException" if known else "InvalidCiphertextException")
        try:
            plain = AESGCM(self.keys[name]).decrypt(blob[1 + size : 13 + size], blob[13 + size :], bound)
        except (InvalidTag, ValueError):
            raise LookupError("InvalidCiphertextException") from None
        return {"KeyId": name, "Plaintext": base64.b64encode(plain).decode()}


@contextmanager
def serving(kms: FakeKMS) -> Iterator[FakeKMS]:
    """Serve on a loopback port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                status, answer = 200, kms.answer(self.headers["X-Amz-Target"], request)
            except LookupError as error:
                name = str(error.args[0])
                status, answer = (500 if "Internal" in name else 400), {"__type": name, "message": name}
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    kms.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield kms
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
