"""Owns the filters that decide whose request this is: verify, copy what was verified, else ask, else refuse.

``keys`` (jwt_authn, by ECDS) verifies the two places a token can come in; ``copy`` copies the one that was verified;
``authz`` runs only when none was copied; ``session`` admits nothing without a session id that one of the two vouched
for. See docs/adr/0005-assertion-at-the-edge.md.
"""

from __future__ import annotations

from services.gateway.xds import rules
from services.gateway.xds.names import (
    ADS,
    ASSERTION,
    ASSERTION_COOKIE,
    ASSERTION_HEADER,
    AUTHZ,
    BY_HEADER,
    CLIENT_ADDRESS,
    CONTROL_PLANE,
    COOKIE,
    COPY,
    HTTP,
    JWT_AUTHN,
    KEYS,
    MARK,
    PAYLOAD,
    SESSION,
    SESSION_HEADER,
)
from services.gateway.xds.protos import PREFIX, Table, extension

SESSION_PREFIX = "ses_"
LEFT_SECONDS = 2
_JWT_METADATA = "envoy.filters.http.jwt_authn"
_AUTHZ_METADATA = "envoy.filters.http.ext_authz"
_COOKIE_METADATA, _EDGE_METADATA = "valv.cookie", "valv.edge"


def session_filters() -> list[Table]:
    """Return the filters of ``names.SESSION_CHAIN``, in order."""
    return [_keys(), _cookie(), _copy(), _mark(), _authz(), _session()]


def _keys() -> Table:
    return {"name": KEYS, "config_discovery": {"config_source": ADS, "type_urls": [PREFIX + JWT_AUTHN]}}


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
        "grpc_service": {"envoy_grpc": {"cluster_name": CONTROL_PLANE}, "timeout": "6s"},
        "failure_mode_allow": False,
        "status_on_error": {"code": "ServiceUnavailable"},
        "validate_mutations": True,
        "allowed_headers": {"patterns": [{"exact": name} for name in passed]},
        "filter_enabled_metadata": {**asserted, "invert": True},
    }
    return extension(AUTHZ, f"{HTTP}.ext_authz.v3.ExtAuthz", table)


def _session() -> Table:
    vouched = [_sid(_JWT_METADATA, PAYLOAD, "sid"), _sid(_AUTHZ_METADATA, "sid")]
    policies = {"session": {"permissions": [rules.present(ASSERTION)], "principals": vouched}}
    return extension(SESSION, f"{HTTP}.rbac.v3.RBAC", {"rules": {"action": "ALLOW", "policies": policies}})


def _sid(namespace: str, *path: str) -> Table:
    value = {"string_match": {"prefix": SESSION_PREFIX}}
    matcher = {"filter": namespace, "path": [{"key": key} for key in path], "value": value}
    return {"sourced_metadata": {"metadata_matcher": matcher}}
