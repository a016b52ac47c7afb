"""Owns the HTTP face of files: bytes in, bytes out. Must never write plaintext but to its owner's connection."""

from __future__ import annotations

import base64
from contextlib import aclosing, suppress
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import ClientPayloadError, hdrs, web
from google.protobuf import json_format

from services.files import ranges
from services.files.errors import LENGTH_REQUIRED, UPLOAD_INCOMPLETE
from services.files.handlers import file_id
from services.files.library import File
from services.files.particulars import Particulars
from services.files.views import entity_tag, message
from services.kit.db import finish
from services.kit.faults import Fault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from services.files.library import Content, Library
    from services.files.ranges import Selection
    from services.files.uploads import Uploads
    from services.kit.call import Call
    from valv.files.v1 import file_pb2

_SAFETY = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}


class ContentHandlers:
    """``valv.files.v1.ContentService``."""

    def __init__(self, uploads: Uploads, library: Library) -> None:
        self._uploads, self._library = uploads, library

    async def upload(self, request: file_pb2.UploadRequest, call: Call, http: web.Request) -> web.StreamResponse:
        """Store the body as a new file."""
        particulars = Particulars.parse(request.display_name, http.headers.get(hdrs.CONTENT_TYPE, ""))
        if http.content_length is None:
            raise Fault(LENGTH_REQUIRED)
        upload = await self._uploads.begin(call.customer, http.content_length)
        call.record.object("file", upload.ref.file)
        try:
            received = await self._uploads.receive(upload, particulars, _body(http))
        except BaseException:
            await finish(self._uploads.abandon(upload))
            raise
        stored = await self._uploads.publish(await call.tx(), received)
        call.record.detail(bytes=stored.size)
        body = json_format.MessageToJson(message(File(stored, particulars)), indent=None)
        headers = {hdrs.CACHE_CONTROL: "no-store", hdrs.LOCATION: f"/v1/files/{stored.ref.file}"}
        return web.Response(status=HTTPStatus.CREATED, text=body, content_type="application/json", headers=headers)

    async def download(self, request: file_pb2.DownloadRequest, call: Call, http: web.Request) -> web.StreamResponse:
        """Send a file's bytes, or the part that is asked for; recorded before the first of them."""
        wanted = file_id(request.file)
        call.record.object("file", wanted)
        async with call.read() as connection:
            file, key = await self._library.get(connection, call.customer, wanted)
        content = self._library.content(file, key)
        tag = entity_tag(file.stored.etag)
        head = http.method == hdrs.METH_HEAD
        call.reply_metadata.append(("content-range", f"bytes */{file.stored.size}"))
        chosen = ranges.select(
            file.stored.size,
            tag,
            wanted=None if head else http.headers.get(hdrs.RANGE),
            if_none_match=http.headers.get(hdrs.IF_NONE_MATCH),
            if_range=http.headers.get(hdrs.IF_RANGE),
        )
        call.reply_metadata.clear()
        sent = 0 if head else chosen.stop - chosen.start
        call.record.detail(range_start=chosen.start, bytes=sent)
        async with aclosing(content.read(chosen.start, chosen.start + sent)) as batches:
            first = await anext(batches, None)
            await call.recorded()
            response = web.StreamResponse(status=chosen.status, headers=_headers(file, content, tag, chosen))
            with suppress(ConnectionResetError):  # the client has gone, and with it whom to tell
                await response.prepare(http)
                if first is not None:
                    await response.write(first)
                async for batch in batches:
                    await response.write(batch)
        return response


def _headers(file: File, content: Content, tag: str, chosen: Selection) -> Mapping[str, str]:
    headers = {**_SAFETY, hdrs.ETAG: tag, hdrs.ACCEPT_RANGES: "bytes"}
    if chosen.status == HTTPStatus.NOT_MODIFIED:
        return headers
    headers[hdrs.CONTENT_TYPE] = file.particulars.media_type
    headers[hdrs.CONTENT_DISPOSITION] = file.particulars.disposition
    headers[hdrs.CONTENT_LENGTH] = str(chosen.stop - chosen.start)
    if chosen.status == HTTPStatus.PARTIAL_CONTENT:
        headers[hdrs.CONTENT_RANGE] = f"bytes {chosen.start}-{chosen.stop - 1}/{file.stored.size}"
    if len(content.manifest.segments) == 1:  # RFC 9530; the digest of a file in several segments is not known
        digest = base64.b64encode(content.manifest.segments[0].digest).decode()
        headers["Repr-Digest"] = f"sha-256=:{digest}:"
    return headers


async def _body(http: web.Request) -> AsyncIterator[bytes]:
    try:
        async for piece in http.content.iter_any():
            yield piece
    except (ClientPayloadError, ConnectionError):
        raise Fault(UPLOAD_INCOMPLETE) from None
