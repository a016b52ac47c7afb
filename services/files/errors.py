"""Owns the reasons for which files refuses a call. Must never hold text made from a request."""

from __future__ import annotations

from services.kit.faults import Code, Reason

FILE_NOT_FOUND = Reason("FILE_NOT_FOUND", Code.NOT_FOUND, "There is no such file, or it is not yours.")
FILE_DAMAGED = Reason("FILE_DAMAGED", Code.DATA_LOSS, "The stored file is not what was stored. Nothing of it was sent.")
FILE_TOO_LARGE = Reason("FILE_TOO_LARGE", Code.INVALID_ARGUMENT, "The file is larger than one file may be.")
LENGTH_REQUIRED = Reason("LENGTH_REQUIRED", Code.INVALID_ARGUMENT, "Say how long the file is: send Content-Length.")
UPLOAD_INCOMPLETE = Reason(
    "UPLOAD_INCOMPLETE", Code.INVALID_ARGUMENT, "Fewer bytes came than were announced. Nothing was kept."
)
QUOTA_EXCEEDED = Reason("QUOTA_EXCEEDED", Code.RESOURCE_EXHAUSTED, "There is no room left for this file.")
RANGE_NOT_SATISFIABLE = Reason(
    "RANGE_NOT_SATISFIABLE", Code.OUT_OF_RANGE, "The file does not have the range that was asked for."
)
