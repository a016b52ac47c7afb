"""Owns the OpenAPI 3.1 document, printed from the contracts. Must never describe what is not routed.

Descriptors are ``Any`` here: their two implementations (Python and upb) share no type.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from services.gateway import path_template
from services.gateway.xds.names import SESSION_HEADER
from services.gateway.xds.routes import ANY, JSON
from services.kit.policy import Subject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.gateway.contracts import Exposed

PATH = "/openapi.json"
Table = dict[str, Any]
_HTTP_BODY = "google.api.HttpBody"
_WELL_KNOWN: dict[str, Table] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": r"^-?\d+(\.\d+)?s$"},
}
# google.protobuf.FieldDescriptor types as proto3 JSON writes them.
_SCALARS: dict[int, Table] = {
    1: {"type": "number", "format": "double"},
    2: {"type": "number", "format": "float"},
    3: {"type": "string", "format": "int64"},
    4: {"type": "string", "format": "uint64"},
    5: {"type": "integer", "format": "int32"},
    8: {"type": "boolean"},
    9: {"type": "string"},
    12: {"type": "string", "format": "byte"},
    13: {"type": "integer", "format": "uint32"},
}
_ENUM, _MESSAGE = 14, 11
ERROR: Table = {
    "type": "object",
    "description": "Every error: google.rpc.Status. Switch on the ErrorInfo's reason, never on the message.",
    "required": ["code", "message", "details"],
    "properties": {
        "code": {"type": "integer", "description": "google.rpc.Code"},
        "message": {"type": "string"},
        "details": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["@type"],
                "properties": {
                    "@type": {"type": "string"},
                    "reason": {"type": "string"},
                    "domain": {"type": "string", "const": "valv"},
                    "metadata": {"type": "object", "additionalProperties": {"type": "string"}},
                },
            },
        },
    },
}


def document(exposed: Sequence[Exposed], server: str) -> bytes:
    """Return the document as JSON."""
    schemas: dict[str, Table] = {"Error": ERROR}
    paths: dict[str, Table] = {}
    for one in exposed:
        path = re.sub(r"\{([a-z0-9_]+)=[^}]+\}", r"{\1}", one.binding.path)
        paths.setdefault(path, {})[one.binding.verb.lower()] = _operation(one, schemas)
    whole = {
        "openapi": "3.1.0",
        "info": {"title": "Valv", "version": "1", "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "servers": [{"url": server}],
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": dict(sorted(schemas.items())), "securitySchemes": _schemes()},
    }
    return json.dumps(whole, indent=1).encode()


def _schemes() -> Table:
    return {
        "cookie": {"type": "apiKey", "in": "cookie", "name": "__Host-valv_session"},
        "header": {"type": "apiKey", "in": "header", "name": SESSION_HEADER.title()},
    }


def _operation(exposed: Exposed, schemas: dict[str, Table]) -> Table:
    method, binding = exposed.method, exposed.binding
    service, _, name = method.full_name[1:].rpartition("/")
    operation: Table = {
        "operationId": f"{service.rpartition('.')[2]}_{name}" + ("_head" if binding.verb == "HEAD" else ""),
        "tags": [service.rpartition(".")[2]],
        "parameters": _parameters(exposed),
        "responses": {"200": _answer(method.output.DESCRIPTOR, schemas), "default": _error()},
        "security": [] if method.policy.subject is Subject.NOBODY else [{"cookie": []}, {"header": []}],
    }
    if binding.body:
        operation["requestBody"] = {"required": True, "content": _body(exposed, schemas)}
    return operation


def _parameters(exposed: Exposed) -> list[Table]:
    inside = path_template.parse(exposed.binding.path).variables
    fields = exposed.method.input.DESCRIPTOR.fields
    query = [
        field for field in fields if exposed.binding.body != "*" and field.name not in (*inside, exposed.binding.body)
    ]
    text = {"type": "string"}
    return [
        *({"name": name, "in": "path", "required": True, "schema": text} for name in inside),
        *({"name": field.json_name, "in": "query", "schema": _SCALARS.get(field.type, text)} for field in query),
    ]


def _body(exposed: Exposed, schemas: dict[str, Table]) -> Table:
    if exposed.method.policy.plain_http or exposed.method.policy.media_types:
        return {media: {} for media in exposed.method.policy.media_types or (ANY,)}
    kind: Any = exposed.method.input.DESCRIPTOR
    if exposed.binding.body != "*":
        kind = kind.fields_by_name[exposed.binding.body].message_type
    return {JSON: {"schema": _reference(kind, schemas)}}


def _answer(kind: Any, schemas: dict[str, Table]) -> Table:
    content = {ANY: {}} if kind.full_name == _HTTP_BODY else {JSON: {"schema": _reference(kind, schemas)}}
    return {"description": "OK", "content": content}


def _error() -> Table:
    return {"description": "Refused or failed", "content": {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}}


def _reference(kind: Any, schemas: dict[str, Table]) -> Table:
    if kind.full_name in _WELL_KNOWN:
        return _WELL_KNOWN[kind.full_name]
    name = kind.full_name.removeprefix("valv.")
    if name not in schemas:
        schemas[name] = {}
        schemas[name] = _schema(kind, schemas)
    return {"$ref": f"#/components/schemas/{name}"}


def _schema(kind: Any, schemas: dict[str, Table]) -> Table:
    values = getattr(kind, "values", None)
    if values is not None:
        return {"type": "string", "enum": [value.name for value in values]}
    return {
        "type": "object",
        "properties": {field.json_name: _field(field, schemas) for field in getattr(kind, "fields", ())},
    }


def _field(field: Any, schemas: dict[str, Table]) -> Table:
    if field.type == _MESSAGE:
        one = _reference(field.message_type, schemas)
    elif field.type == _ENUM:
        one = _reference(field.enum_type, schemas)
    else:
        one = _SCALARS[field.type]
    return {"type": "array", "items": one} if field.is_repeated else one
