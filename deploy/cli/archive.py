"""Owns the archive of an export: what is asked of which service, under which names it is kept, that its proofs hold.

Layout::

    README.txt  log-key.txt  account.json  files.json  billing.json  activity.jsonl
    contents/<file id>/<name>       receipts/<event id>.tlog-proof

Written in one go to a file of its owner only; a failure leaves none.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import httpx

from deploy.cli.verify import receipt
from deploy.cli.verify.note import BadError, Key, parse_key
from deploy.cli.verify.trust import Trust

_CHUNK = 1 << 20
_TRIES = 20
_PAUSE_SECONDS = 0.5
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')
_LONGEST_NAME = 180
_README = """\
Everything Valv holds about this account, fetched by its owner.

account.json     what the account service holds: the account, sessions, devices. No secret is in it.
files.json       the particulars of every file; the bytes are in contents/<file id>/.
billing.json     cards as Valv knows them, charges and refunds.
activity.jsonl   every event about this account, newest first, one JSON object a line.
receipts/        a proof of each event. Check them without asking Valv:
                 valv verify --key log-key.txt THIS.zip
"""


class ExportError(Exception):
    """Valv refused. The text is for the person."""


class Away(Exception):  # noqa: N818 - a state of the service
    """Valv did not answer in time."""


class Archive:
    """Fetches an export and writes its archive."""

    def __init__(self, http: httpx.Client, say: Callable[[str], None]) -> None:
        """Take a client that carries the session, and whom to tell of the progress."""
        self._http, self._say = http, say

    def write(self, path: Path, key: Key | None) -> str:
        """Write the archive; returns what is in it, in words.

        Raises:
            ExportError: Valv refused, or a part of it is not what it should be.
            Away: Valv did not answer in time.
            BadError: A receipt does not hold.
        """
        with (
            os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file,
            ZipFile(file, "w", ZIP_DEFLATED) as archive,
        ):
            archive.writestr("README.txt", _README)
            published = self._get("/log/key").text
            archive.writestr("log-key.txt", published)
            account = self._whole("/v1/account:export", ("sessions",))
            files = self._whole("/v1/files:export", ("files",))
            billing = self._whole("/v1/billing:export", ("charges",))
            for name, part in (("account", account), ("files", files), ("billing", billing)):
                archive.writestr(f"{name}.json", _json(part))
            events = self._activity(archive, Trust((key or parse_key(published),)))
            self._contents(archive, files["files"])
        return f"{len(files['files'])} files, {len(billing['charges'])} charges, {events} events with proofs that hold"

    def _activity(self, archive: ZipFile, trust: Trust) -> int:
        lines = []
        for page in self._pages("/v1/activity:export"):
            for one in page.get("activities", []):
                event = one["activity"]["event"]["eventId"]
                proof = one.get("receipt") or self._get(f"/v1/activity/{event}/receipt").text
                proven = receipt.verify(proof.encode(), trust)
                if proven.event["id"] != event:
                    raise BadError(f"the receipt of {event} is of another event")
                archive.writestr(f"receipts/{event}.tlog-proof", proof)
                lines.append(json.dumps(one["activity"], ensure_ascii=False))
            self._say(f"{len(lines)} events")
        archive.writestr("activity.jsonl", "".join(f"{line}\n" for line in lines))
        return len(lines)

    def _contents(self, archive: ZipFile, files: list[dict[str, Any]]) -> None:
        for number, file in enumerate(files, 1):
            name = f"contents/{file['fileId']}/{_safe(file['displayName'])}"
            got = 0
            with (
                archive.open(name, "w", force_zip64=True) as entry,
                self._http.stream("GET", f"/v1/files/{file['fileId']}/content") as reply,
            ):
                if reply.status_code != httpx.codes.OK:
                    reply.read()
                    raise ExportError(_refusal(reply))
                for chunk in reply.iter_bytes(_CHUNK):
                    entry.write(chunk)
                    got += len(chunk)
            if got != int(file.get("size", 0)):
                raise ExportError(f"{file['fileId']} is not whole")
            self._say(f"file {number} of {len(files)}")

    def _whole(self, path: str, lists: tuple[str, ...]) -> dict[str, Any]:
        """Return a part with the lists of all its pages put together."""
        whole: dict[str, Any] = {name: [] for name in lists}
        for page in self._pages(path):
            for name, value in page.items():
                if name in lists:
                    whole[name] += value
                elif name != "nextPageToken":
                    whole[name] = value
        return whole

    def _pages(self, path: str) -> Iterator[dict[str, Any]]:
        token = ""
        while True:
            page = self._get(path, {"pageToken": token} if token else {}).json()
            yield page
            token = page.get("nextPageToken", "")
            if not token:
                return

    def _get(self, path: str, parameters: dict[str, str] | None = None) -> httpx.Response:
        """Ask, and again when told to."""
        for _ in range(_TRIES):
            reply = self._http.get(path, params=parameters or {})
            if reply.status_code == httpx.codes.OK:
                return reply
            if "RetryInfo" not in reply.text:
                raise ExportError(_refusal(reply))
            time.sleep(_PAUSE_SECONDS)
        raise Away("Valv did not answer in time")


def _refusal(reply: httpx.Response) -> str:
    try:
        error = reply.json()
        reason = next((one["reason"] for one in error.get("details", []) if "reason" in one), "")
    except (ValueError, AttributeError, TypeError):
        return f"Valv answered {reply.status_code}"
    if reason == "REAUTHENTICATE":
        return "sign in again first: an export needs a sign-in of the last ten minutes"
    return f"{reason}: {error.get('message', '')}"


def _safe(name: str) -> str:
    """Return a name that is one component of a path on any system."""
    cleaned = _UNSAFE.sub("_", name).strip(" .")[:_LONGEST_NAME]
    return cleaned or "file"


def _json(part: dict[str, Any]) -> str:
    return json.dumps(part, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
