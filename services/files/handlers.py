"""Owns the gRPC face of files: parse, one call to the domain, map."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.files.errors import FILE_NOT_FOUND
from services.files.views import message
from services.kit.faults import INVALID_ARGUMENT, Fault
from services.kit.ids import check
from valv.files.v1 import export_pb2, file_pb2

if TYPE_CHECKING:
    from services.files.library import Library
    from services.files.shredding import Shredder
    from services.files.store import Store
    from services.kit.call import Call

_DEFAULT_PAGE = 50
_MAX_PAGE = 200


def file_id(text: str) -> str:
    """Return the text when it is a file's id; what is not one names no file.

    Raises:
        Fault: FILE_NOT_FOUND.
    """
    try:
        return check("fil", text)
    except ValueError:
        raise Fault(FILE_NOT_FOUND) from None


class FileHandlers:
    """``valv.files.v1.FileService``."""

    def __init__(self, library: Library, store: Store, shredder: Shredder) -> None:
        self._library, self._store, self._shredder = library, store, shredder

    async def list_files(self, request: file_pb2.ListFilesRequest, call: Call) -> file_pb2.ListFilesResponse:
        """List the caller's files."""
        size = _page(request.page_size, request.page_token)
        async with call.read() as connection:
            found = await self._library.page(connection, call.customer, request.page_token, size + 1)
            used = await self._store.used_bytes(connection, call.customer)
        page = found[:size]
        call.record.detail(count=len(page))
        return file_pb2.ListFilesResponse(
            files=[message(file) for file in page],
            next_page_token=page[-1].stored.ref.file if len(found) > size else "",
            used_bytes=used,
            quota_bytes=self._store.quota.bytes,
        )

    async def get_file(self, request: file_pb2.GetFileRequest, call: Call) -> file_pb2.GetFileResponse:
        """Return one file's particulars."""
        wanted = file_id(request.file)
        call.record.object("file", wanted)
        async with call.read() as connection:
            file, _ = await self._library.get(connection, call.customer, wanted)
        return file_pb2.GetFileResponse(file=message(file))

    async def delete_file(self, request: file_pb2.DeleteFileRequest, call: Call) -> file_pb2.DeleteFileResponse:
        """Delete a file: when it is recorded, its key and bytes are destroyed; the reconciler ends what breaks here."""
        wanted = file_id(request.file)
        call.record.object("file", wanted)
        size = await self._library.remove(await call.tx(), call.customer, wanted)
        call.record.detail(bytes=size)
        await call.recorded()
        await self._shredder.shred(wanted)
        return file_pb2.DeleteFileResponse()


class ExportHandlers:
    """``valv.files.v1.ExportService``."""

    def __init__(self, library: Library) -> None:
        self._library = library

    async def export_files(self, request: export_pb2.ExportFilesRequest, call: Call) -> export_pb2.ExportFilesResponse:
        """List the caller's files."""
        size = _page(request.page_size, request.page_token)
        async with call.read() as connection:
            found = await self._library.page(connection, call.customer, request.page_token, size + 1)
        page = found[:size]
        call.record.detail(count=len(page))
        call.reply_metadata.append(("cache-control", "no-store"))
        return export_pb2.ExportFilesResponse(
            files=[message(file) for file in page],
            next_page_token=page[-1].stored.ref.file if len(found) > size else "",
        )


def _page(size: int, token: str) -> int:
    if not 0 <= size <= _MAX_PAGE:
        raise Fault(INVALID_ARGUMENT, field="page_size")
    if token:
        try:
            check("fil", token)
        except ValueError:
            raise Fault(INVALID_ARGUMENT, field="page_token") from None
    return size or _DEFAULT_PAGE
