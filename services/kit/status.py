"""Owns the form of an error on the wire: ``google.rpc.Status`` with ``ErrorInfo``, ``BadRequest`` and ``RetryInfo``."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import TYPE_CHECKING

from google.protobuf import any_pb2, json_format
from google.rpc import error_details_pb2, status_pb2

from services.kit.faults import Code

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from services.kit.faults import Fault

DOMAIN = "valv"

_HTTP = {
    Code.CANCELLED: 499,
    Code.INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
    Code.FAILED_PRECONDITION: HTTPStatus.BAD_REQUEST,
    Code.OUT_OF_RANGE: HTTPStatus.BAD_REQUEST,
    Code.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    Code.PERMISSION_DENIED: HTTPStatus.FORBIDDEN,
    Code.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Code.ALREADY_EXISTS: HTTPStatus.CONFLICT,
    Code.ABORTED: HTTPStatus.CONFLICT,
    Code.RESOURCE_EXHAUSTED: HTTPStatus.TOO_MANY_REQUESTS,
    Code.UNIMPLEMENTED: HTTPStatus.NOT_IMPLEMENTED,
    Code.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.DEADLINE_EXCEEDED: HTTPStatus.GATEWAY_TIMEOUT,
}


def status_of(fault: Fault, request_id: str) -> status_pb2.Status:
    """Return the status message that tells a client of the fault, and nothing more."""
    details: list[Message] = [
        error_details_pb2.ErrorInfo(reason=fault.reason.name, domain=DOMAIN, metadata={"requestId": request_id})
    ]
    if fault.field is not None:
        violation = error_details_pb2.BadRequest.FieldViolation(field=fault.field, description=fault.reason.message)
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    if fault.retry_after is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromSeconds(retry_seconds(fault))
        details.append(retry)
    packed = []
    for detail in details:
        box = any_pb2.Any()
        box.Pack(detail)
        packed.append(box)
    return status_pb2.Status(code=int(fault.reason.code), message=fault.reason.message, details=packed)


def retry_seconds(fault: Fault) -> int:
    """Return the whole seconds to wait before trying again."""
    return max(1, math.ceil(fault.retry_after or 0))


def http_status(code: Code) -> int:
    """Return the HTTP status of a code, as the edge's transcoder maps it."""
    return int(_HTTP.get(code, HTTPStatus.INTERNAL_SERVER_ERROR))


def json_body(fault: Fault, request_id: str) -> bytes:
    """Return the status as the JSON body that plain HTTP answers carry."""
    return json_format.MessageToJson(status_of(fault, request_id), indent=None).encode()
