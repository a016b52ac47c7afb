"""Owns the form of the errors that Envoy answers by itself: ``google.rpc.Status`` JSON, like every other error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.gateway.errors import LOCAL_REPLIES, OTHER_REPLY
from services.gateway.xds.protos import Table, extension
from services.kit.status import DOMAIN

if TYPE_CHECKING:
    from services.gateway.errors import LocalReply
    from services.kit.faults import Reason

CEL_FILTER = "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter"
ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"
FIRST_ERROR = 400


def local_reply_config() -> Table:
    """Return the mapping of Envoy's own answers. What the gateway's authorization answered passes as it is."""
    denied = {"filter": _expression("response.code_details == 'ext_authz_denied'")}
    other = {"filter": _status("GE", FIRST_ERROR), "body_format_override": _body(OTHER_REPLY, retry=False)}
    return {"mappers": [denied, *(_mapper(reply) for reply in LOCAL_REPLIES), other]}


def _mapper(reply: LocalReply) -> Table:
    chosen = _status("EQ", reply.status)
    if reply.details:
        details = _expression(f"response.code_details.startsWith('{reply.details}')")
        chosen = {"and_filter": {"filters": [chosen, details]}}
    mapper: Table = {"filter": chosen, "body_format_override": _body(reply.reason, retry=reply.retry)}
    if reply.becomes:
        mapper["status_code"] = reply.becomes
    if reply.wait:
        header = {"key": "retry-after", "value": str(reply.wait)}
        mapper["headers_to_add"] = [{"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}]
    return mapper


def _body(reason: Reason, *, retry: bool) -> Table:
    info = {
        "@type": ERROR_INFO,
        "reason": reason.name,
        "domain": DOMAIN,
        "metadata": {"requestId": "%REQ(X-REQUEST-ID)%"},
    }
    details = [info, {"@type": RETRY_INFO, "retryDelay": "%RESP(RETRY-AFTER)%s"}] if retry else [info]
    return {
        "json_format": {"code": int(reason.code), "message": reason.message, "details": details},
        "content_type": "application/json",
        "omit_empty_values": True,
    }


def _status(operator: str, value: int) -> Table:
    comparison = {"op": operator, "value": {"default_value": value, "runtime_key": "valv.none"}}
    return {"status_code_filter": {"comparison": comparison}}


def _expression(text: str) -> Table:
    return {"extension_filter": extension("cel", CEL_FILTER, {"expression": text})}
