"""Owns the chain of HTTP filters at the edge: which, and in which order. Each is on unless a route turns it off.

``x-valv-assertion`` is stripped from clients before anything else; ``keys`` (jwt_authn) verifies the two places a token
can come in; ``copy`` copies the one that was verified; ``authz`` runs only when none was copied; ``session`` admits
nothing without a session id that one of the two vouched for. See docs/adr/0005-assertion-at-the-edge.md.
"""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING

from services.gateway import headers
from services.gateway.xds.protos import Table, extension, typed_struct
from services.kit.policy import DEFAULT_REQUEST_BYTES, RateClass

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from services.gateway.config import RateConfig, RatesConfig

HEADERS, INTERNAL, COMPRESS, ORIGIN, BODY = "headers", "internal", "compress", "origin", "body"
KEYS, COOKIE, COPY, MARK, AUTHZ, SESSION = "keys", "cookie", "copy", "mark", "authz", "session"
TRANSCODE, ROUTER = "transcode", "router"
LARGEST_COUNTED_BODY = (1 << 32) - 1
SESSION_CHAIN = (KEYS, COOKIE, COPY, MARK, AUTHZ, SESSION)

HTTP = "envoy.extensions.filters.http"
JWT_AUTHN = f"{HTTP}.jwt_authn.v3.JwtAuthentication"
BODY_SIZE_LIMIT = f"{HTTP}.body_size_limit.v3.BodySizeLimit"
ADS = {"ads": {}, "resource_api_version": "V3"}
CONTROL_PLANE = "control_plane"

ASSERTION = "x-valv-assertion"
CLIENT_ADDRESS = "x-valv-client-address"
ASSERTION_COOKIE, ASSERTION_HEADER = "__Host-valv_assertion", "valv-assertion"
SESSION_HEADER = "valv-session"
BY_HEADER, BY_COOKIE, PAYLOAD = "by_header", "by_cookie", "payload"
_JWT_METADATA = "envoy.filters.http.jwt_authn"
_AUTHZ_METADATA = "envoy.filters.http.ext_authz"
_COOKIE_METADATA, _EDGE_METADATA = "valv.cookie", "valv.edge"
SESSION_PREFIX = "ses_"
LEFT_SECONDS = 2
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_JWT = r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"
_OPAQUE = r"[A-Za-z0-9._~+/=-]+"


def rate_filter(rate: RateClass) -> str:
    """Return the name of the filter that limits a class."""
    return f"rate_{rate.name.lower()}"


def chain(
    rates: RatesConfig, origins: Sequence[str], body_limits: Iterable[int], transcoder: Table, *, hsts: bool
) -> list[Table]:
    """Return the whole chain, in order.

    Args:
        rates: The numbers of the rate classes.
        origins: Origins whose pages may call the API.
        body_limits: Every limit on request bodies that a route has, in bytes.
        transcoder: The filter between JSON and gRPC.
        hsts: Whether answers carry Strict-Transport-Security.
    """
    return [
        _headers(hsts=hsts),
        _internal(),
        _compress(),
        *(_rate(rate, getattr(rates, rate.name.lower())) for rate in RateClass if rate is not RateClass.INTERNAL),
        _origin(origins),
        *_bodies(body_limits),
        {"name": KEYS, "config_discovery": {"config_source": ADS, "type_urls": [f"type.googleapis.com/{JWT_AUTHN}"]}},
        _cookie(),
        _copy(),
        _mark(),
        _authz(),
        _session(),
        transcoder,
        extension(ROUTER, f"{HTTP}.router.v3.Router", {"suppress_envoy_headers": True}),
    ]


def body_filter(limit: int) -> str | None:
    """Return the name of the filter that refuses larger request bodies; None where the service itself must count."""
    if limit == DEFAULT_REQUEST_BYTES:
        return BODY
    return f"{BODY}_{limit}" if limit <= LARGEST_COUNTED_BODY else None


def _bodies(limits: Iterable[int]) -> list[Table]:
    """One filter per limit, since it takes no configuration of a route's own; the default one is on."""
    others = sorted({limit for limit in limits if limit <= LARGEST_COUNTED_BODY} - {DEFAULT_REQUEST_BYTES})
    return [
        {"name": BODY, "typed_config": _body_limit(DEFAULT_REQUEST_BYTES)},
        *({"name": body_filter(one), "typed_config": _body_limit(one), "disabled": True} for one in others),
    ]


def _body_limit(limit: int) -> Table:
    return typed_struct(BODY_SIZE_LIMIT, {"max_request_bytes": limit})


def _headers(*, hsts: bool) -> Table:
    address = {"key": CLIENT_ADDRESS, "value": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"}
    request = [{"append": {"header": address, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}]
    mutations = {"request_mutations": request, "response_mutations": headers.mutations(hsts=hsts)}
    return extension(HEADERS, f"{HTTP}.header_mutation.v3.HeaderMutation", {"mutations": mutations})


def _internal() -> Table:
    mutations = {"response_mutations": headers.removals()}
    return extension(INTERNAL, f"{HTTP}.header_mutation.v3.HeaderMutation", {"mutations": mutations})


def _compress() -> Table:
    gzip = extension("gzip", "envoy.extensions.compression.gzip.compressor.v3.Gzip")
    direction = {"common_config": {"min_content_length": 1024}}
    filter_ = extension(
        COMPRESS,
        f"{HTTP}.compressor.v3.Compressor",
        {"compressor_library": gzip, "response_direction_config": direction},
    )
    return {**filter_, "disabled": True}


def _rate(rate: RateClass, numbers: RateConfig) -> Table:
    """One bucket per class and client address, whichever route; off unless the route's class turns it on."""
    interval = numbers.seconds / numbers.requests
    on = {"default_value": {"numerator": 100}}
    whole = {"max_tokens": 1 << 30, "tokens_per_fill": 1 << 30, "fill_interval": "1s"}
    single = {"max_tokens": numbers.burst, "tokens_per_fill": 1, "fill_interval": f"{interval:.3f}s"}
    masked = {"masked_remote_address": {"v4_prefix_mask_len": 32, "v6_prefix_mask_len": 64}}
    wait = {"key": "retry-after", "value": str(math.ceil(interval))}
    table = {
        "stat_prefix": rate_filter(rate),
        "token_bucket": whole,
        "filter_enabled": on,
        "filter_enforced": on,
        "descriptors": [{"entries": [{"key": "masked_remote_address", "value": ""}], "token_bucket": single}],
        "max_dynamic_descriptors": 10_000,
        "rate_limits": [{"actions": [masked]}],
        "response_headers_to_add": [{"header": wait, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}],
    }
    return {**extension(rate_filter(rate), f"{HTTP}.local_ratelimit.v3.LocalRateLimit", table), "disabled": True}


def _origin(origins: Sequence[str]) -> Table:
    """Refuse what a page of another origin sent (Fetch Metadata, then Origin), and tokens that are not one token."""
    cross_site = _any(_header("sec-fetch-site", "cross-site"), _header("sec-fetch-site", "same-site"))
    unsafe = _not(_any(*(_header(":method", name) for name in _SAFE_METHODS)))
    foreign = _all(_present("origin"), _not(_any(*(_header("origin", origin) for origin in origins))))
    unvouched = _all(_present("cookie"), _not(_present("origin")), _not(_header("sec-fetch-site", "same-origin")))
    malformed = _any(
        _all(_present(ASSERTION_HEADER), _not(_regex(ASSERTION_HEADER, _JWT))),
        _all(_present(SESSION_HEADER), _not(_regex(SESSION_HEADER, _OPAQUE))),
    )
    policies = {
        "cross-origin": _policy(_any(cross_site, _all(unsafe, _any(foreign, unvouched)))),
        "malformed-token": _policy(malformed),
    }
    return extension(ORIGIN, f"{HTTP}.rbac.v3.RBAC", {"rules": {"action": "DENY", "policies": policies}})


def _cookie() -> Table:
    rule = {
        "cookie": ASSERTION_COOKIE,
        "on_header_present": {"metadata_namespace": _COOKIE_METADATA, "key": "assertion", "type": "STRING"},
    }
    return extension(COOKIE, f"{HTTP}.header_to_metadata.v3.Config", {"request_rules": [rule]})


def _copy() -> Table:
    """Copy the token whose provider verified it, from where that provider read it.

    Nothing is copied when none was verified, when it names no session, or when it is about to run out: it must not do
    so on its way to a service, which allows for no skew.
    """
    found, payload = (
        f'metadata.filter_metadata["{_JWT_METADATA}"]',
        f'metadata.filter_metadata["{_JWT_METADATA}"]["{PAYLOAD}"]',
    )
    verified = f'"{_JWT_METADATA}" in metadata.filter_metadata && "{PAYLOAD}" in {found}'
    named = f'"sid" in {payload} && {payload}["sid"].startsWith("{SESSION_PREFIX}")'
    lasting = f'timestamp(int({payload}["exp"])) > request.time + duration("{LEFT_SECONDS}s")'
    cookie = f'metadata.filter_metadata["{_COOKIE_METADATA}"]["assertion"]'
    token = f'"{BY_HEADER}" in {found} ? request.headers["{ASSERTION_HEADER}"] : {cookie}'
    value = f'%CEL({verified} && {named} && {lasting} ? ({token}) : "")%'
    append = {"header": {"key": ASSERTION, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    mutations = {"request_mutations": [{"append": append}]}
    return extension(COPY, f"{HTTP}.header_mutation.v3.HeaderMutation", {"mutations": mutations})


def _mark() -> Table:
    """Note whether a token was copied, where ``authz`` can read it."""
    mark = {"metadata_namespace": _EDGE_METADATA, "key": "asserted", "value": "yes"}
    rule = {"header": ASSERTION, "on_header_present": mark}
    return extension(MARK, f"{HTTP}.header_to_metadata.v3.Config", {"request_rules": [rule]})


def _authz() -> Table:
    passed = ("cookie", SESSION_HEADER, CLIENT_ADDRESS, "x-request-id")
    asserted = {"filter": _EDGE_METADATA, "path": [{"key": "asserted"}], "value": {"string_match": {"exact": "yes"}}}
    table = {
        "transport_api_version": "V3",
        "grpc_service": {"envoy_grpc": {"cluster_name": CONTROL_PLANE}, "timeout": "2s"},
        "failure_mode_allow": False,
        "status_on_error": {"code": "ServiceUnavailable"},
        "validate_mutations": True,
        "allowed_headers": {"patterns": [{"exact": name} for name in passed]},
        "filter_enabled_metadata": {**asserted, "invert": True},
    }
    return extension(AUTHZ, f"{HTTP}.ext_authz.v3.ExtAuthz", table)


def _session() -> Table:
    vouched = [_sid(_JWT_METADATA, PAYLOAD, "sid"), _sid(_AUTHZ_METADATA, "sid")]
    policies = {"session": {"permissions": [_present(ASSERTION)], "principals": vouched}}
    return extension(SESSION, f"{HTTP}.rbac.v3.RBAC", {"rules": {"action": "ALLOW", "policies": policies}})


def transcode(descriptors: bytes, services: Sequence[str]) -> Table:
    """Return the filter between JSON and these gRPC services, described by a FileDescriptorSet."""
    strict = {
        "reject_unknown_method": True,
        "reject_unknown_query_parameters": True,
        "reject_binding_body_field_collisions": True,
    }
    table = {
        "services": list(services),
        "match_incoming_request_route": True,
        "convert_grpc_status": True,
        "request_validation_options": strict,
        "print_options": {"always_print_primitive_fields": True},
    }
    filter_ = extension(TRANSCODE, f"{HTTP}.grpc_json_transcoder.v3.GrpcJsonTranscoder", table)
    filter_["typed_config"]["proto_descriptor_bin"] = base64.b64encode(descriptors).decode()
    return filter_


def _sid(namespace: str, *path: str) -> Table:
    value = {"string_match": {"prefix": SESSION_PREFIX}}
    matcher = {"filter": namespace, "path": [{"key": key} for key in path], "value": value}
    return {"sourced_metadata": {"metadata_matcher": matcher}}


def _policy(permission: Table) -> Table:
    return {"permissions": [permission], "principals": [{"any": True}]}


def _present(name: str) -> Table:
    return {"header": {"name": name, "present_match": True}}


def _header(name: str, value: str) -> Table:
    return {"header": {"name": name, "string_match": {"exact": value}}}


def _regex(name: str, regex: str) -> Table:
    return {"header": {"name": name, "string_match": {"safe_regex": {"regex": regex}}}}


def _not(rule: Table) -> Table:
    return {"not_rule": rule}


def _any(*rules: Table) -> Table:
    return {"or_rules": {"rules": list(rules)}}


def _all(*rules: Table) -> Table:
    return {"and_rules": {"rules": list(rules)}}
