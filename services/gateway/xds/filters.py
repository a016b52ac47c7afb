"""Owns the chain of HTTP filters at the edge: which, and in which order. Each is on unless a route turns it off."""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING

from services.gateway import headers
from services.gateway.xds.names import BODY, CLIENT_ADDRESS, COMPRESS, HEADERS, HTTP, INTERNAL, ROUTER, TRANSCODE
from services.gateway.xds.origin import origin_filter
from services.gateway.xds.protos import Table, extension, typed_struct
from services.gateway.xds.remembered import remembered_filter
from services.gateway.xds.sessions import session_filters
from services.kit.policy import DEFAULT_REQUEST_BYTES, RateClass

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from services.gateway.config import RateConfig, RatesConfig

LARGEST_COUNTED_BODY = (1 << 32) - 1
BODY_SIZE_LIMIT = f"{HTTP}.body_size_limit.v3.BodySizeLimit"


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
        origin_filter(origins),
        *_bodies(body_limits),
        remembered_filter(),
        *session_filters(),
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
