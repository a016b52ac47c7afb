"""Owns the routes: one per HTTP binding of each method the edge may call, one per page and asset, else 404."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from services.gateway import path_template
from services.gateway.xds import filters, names
from services.gateway.xds.clusters import Upstream
from services.gateway.xds.protos import Table, typed
from services.gateway.xds.remembered import remembered_headers
from services.kit.policy import Effect, PolicyError, RateClass, Subject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.gateway.assets import Page
    from services.gateway.contracts import Exposed
    from services.kit.policy import Policy

PUBLIC = "public"
UNARY_SECONDS, STREAM_SECONDS, TRANSFER_IDLE_SECONDS = 15, 30, 60
JSON = "application/json"
ANY = "*/*"
CLEAR_ASSERTION = f"{names.ASSERTION_COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0"
_FILTER = "envoy.config.route.v3.FilterConfig"
_AUTHZ = "envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute"
_KEPT_FROM_SERVICES = ("cookie", "authorization", names.SESSION_HEADER, names.ASSERTION_HEADER, "x-forwarded-for")


def upstream_of(exposed: Exposed) -> Upstream:
    """Return the cluster that serves a binding: the service's gRPC port, or its data plane for plain HTTP."""
    if exposed.method.policy.plain_http:
        return Upstream(f"{exposed.role}_data", exposed.role, grpc=False)
    return Upstream(exposed.role, exposed.role)


def route_configuration(exposed: Sequence[Exposed], pages: Sequence[Page], authorities: Sequence[str]) -> Table:
    """Return the public route configuration.

    Raises:
        PolicyError: A customer's method would admit pages of any origin.
    """
    api = [route for one in sorted(exposed, key=_specific_first) for route in api_routes(one)]
    rest = [*(page_route(page) for page in pages), not_found()]
    domains = [domain for name in authorities for domain in ((name,) if ":" in name else (name, f"{name}:443"))]
    largest = max((len(page.body) for page in pages), default=0)
    return {
        "name": PUBLIC,
        "validate_clusters": True,
        "max_direct_response_body_size_bytes": max(largest, 4096),
        "virtual_hosts": [
            {
                "name": PUBLIC,
                "domains": domains,
                "routes": [no_grpc(), *api, *rest],
                "request_headers_to_remove": list(_KEPT_FROM_SERVICES),
            },
            {"name": "elsewhere", "domains": ["*"], "routes": [no_grpc(), not_found()]},
        ],
    }


def api_routes(exposed: Exposed) -> list[Table]:
    """Return the route of a binding, and the one that refuses other media types where there is a body."""
    binding, policy = exposed.binding, exposed.method.policy
    if policy.any_origin and policy.subject is Subject.CUSTOMER:
        message = f"{exposed.method.full_name}: a customer's method admits no pages of other origins"
        raise PolicyError(message)
    name = f"{binding.verb} {binding.path}"
    match: Table = {**path_template.parse(binding.path).match, "headers": [_header(":method", binding.verb)]}
    types = (policy.media_types or (JSON,)) if binding.body else (ANY,)
    route: Table = {
        "name": name,
        "match": match if ANY in types else {**match, "headers": [*match["headers"], _media_type(types)]},
        "route": _action(exposed),
        "decorator": {"operation": name, "propagate": False},
        "typed_per_filter_config": _per_filter(exposed),
    }
    if policy.subject is Subject.NOBODY:
        route["request_headers_to_remove"] = [names.ASSERTION]
    if policy.authenticates:
        route["request_headers_to_add"] = remembered_headers()
    if policy.authenticates or (policy.subject is Subject.NOBODY and policy.effect is Effect.WRITE):
        # It may change who is signed in: what was asserted before must not outlive that.
        route["response_headers_to_add"] = [_set("set-cookie", CLEAR_ASSERTION, "APPEND_IF_EXISTS_OR_ADD")]
    if ANY in types:
        return [route]
    refused = {
        "name": name,
        "match": match,
        "direct_response": {"status": 415},
        "typed_per_filter_config": _open(policy.rate),
    }
    return [route, refused]


def page_route(page: Page) -> Table:
    """Return the route that answers with a page or an asset from the configuration itself."""
    per_filter = {**_open(RateClass.PUBLIC), names.ORIGIN: _off()}
    if page.compressible:
        per_filter[names.COMPRESS] = _on()
    return {
        "name": f"GET {page.path}",
        "match": {
            "path": page.path,
            "headers": [{"name": ":method", "string_match": {"safe_regex": {"regex": "GET|HEAD"}}}],
        },
        "direct_response": {"status": 200, "body": {"inline_bytes": base64.b64encode(page.body).decode()}},
        "response_headers_to_add": [_set(name, value, "OVERWRITE_IF_EXISTS_OR_ADD") for name, value in page.headers],
        "typed_per_filter_config": per_filter,
    }


def no_grpc() -> Table:
    """Return the route that refuses gRPC: it would pass the transcoder. Its answer keeps the headers gRPC reads."""
    per_filter = {**_open(RateClass.PUBLIC), names.ORIGIN: _off(), names.INTERNAL: _off()}
    grpc = {"name": "content-type", "string_match": {"prefix": "application/grpc", "ignore_case": True}}
    return {
        "name": "grpc",
        "match": {"prefix": "/", "headers": [grpc]},
        "direct_response": {"status": 415},
        "typed_per_filter_config": per_filter,
    }


def not_found() -> Table:
    """Return the route for everything that has none."""
    per_filter = {**_open(RateClass.PUBLIC), names.ORIGIN: _off()}
    return {
        "name": "none",
        "match": {"prefix": "/"},
        "direct_response": {"status": 404},
        "typed_per_filter_config": per_filter,
    }


def _action(exposed: Exposed) -> Table:
    retry = {"retry_on": "connect-failure,refused-stream", "num_retries": 2}  # nothing was sent: safe for every method
    action: Table = {"cluster": upstream_of(exposed).name, "retry_policy": retry}
    if exposed.method.policy.rate is not RateClass.CREDENTIAL:
        action["priority"] = "HIGH"  # it has limits and connections of its own: a flood of sign-ins does not fill them
    if exposed.method.policy.plain_http:
        return {**action, "timeout": "0s", "idle_timeout": f"{TRANSFER_IDLE_SECONDS}s"}
    longest = {"max_stream_duration": f"{STREAM_SECONDS}s"}
    return {**action, "timeout": f"{UNARY_SECONDS}s", "max_stream_duration": longest}


def _per_filter(exposed: Exposed) -> Table:
    policy = exposed.method.policy
    table: Table = {filters.rate_filter(policy.rate): _on(), **_body(policy)}
    if policy.plain_http:
        table[names.TRANSCODE] = _off()
    if policy.any_origin:
        table[names.ORIGIN] = _off()
    if policy.authenticates:
        table[names.REMEMBERED] = _on()
    if policy.subject is Subject.NOBODY:
        return {**table, **{name: _off() for name in names.SESSION_CHAIN}}
    # What is renewed for a call that changes who is signed in must not reach the client: it is of the session before.
    context = {"passive": "true" if policy.passive or policy.authenticates else "false"}
    return {**table, names.AUTHZ: typed(_AUTHZ, {"check_settings": {"context_extensions": context}})}


def _body(policy: Policy) -> Table:
    """The default limit is on everywhere; a route with another turns that off and its own on."""
    wanted = filters.body_filter(policy.max_request_bytes)
    if wanted == names.BODY:
        return {}
    return {names.BODY: _off(), **({wanted: _on()} if wanted else {})}


def _open(rate: RateClass) -> Table:
    """What an answer of Envoy itself needs: the limit, and nothing about sessions."""
    off = (*names.SESSION_CHAIN, names.TRANSCODE)
    return {filters.rate_filter(rate): _on(), **{name: _off() for name in off}}


def _media_type(types: Sequence[str]) -> Table:
    escaped = "|".join(media.replace("+", r"\+").replace(".", r"\.") for media in types)
    return {"name": "content-type", "string_match": {"safe_regex": {"regex": rf"(?i)({escaped})\s*(;.*)?"}}}


def _specific_first(exposed: Exposed) -> tuple[bool, int]:
    template = path_template.parse(exposed.binding.path)
    return (template.regex is not None, -len(template.text))


def _header(name: str, value: str) -> Table:
    return {"name": name, "string_match": {"exact": value}}


def _set(name: str, value: str, action: str) -> Table:
    return {"header": {"key": name, "value": value}, "append_action": action}


def _off() -> Table:
    return typed(_FILTER, {"disabled": True})


def _on() -> Table:
    return typed(_FILTER, {"config": {}})
