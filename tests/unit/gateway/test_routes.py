"""The routes follow from the policies: every method the edge may call, and nothing else."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from services.gateway import contracts, path_template
from services.gateway.xds import clusters, filters, names, protos, routes
from services.kit.policy import Effect, PolicyError, RateClass, Subject
from tests.unit.gateway.house import PAGE, config

EXPOSED = {(one.binding.verb, one.binding.path): one for one in contracts.exposed()}
DISABLED = {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": True}


def table() -> list[dict[str, Any]]:
    made = routes.route_configuration(contracts.exposed(), [PAGE], ["valv.example"])
    found: list[dict[str, Any]] = made["virtual_hosts"][0]["routes"]
    return found


def forwarded() -> list[dict[str, Any]]:
    return [route for route in table() if "route" in route]


def off(route: dict[str, Any]) -> set[str]:
    return {name for name, config in route["typed_per_filter_config"].items() if config == DISABLED}


def test_each_binding_that_envoy_may_call_has_exactly_one_route_and_nothing_else_has_one() -> None:
    bindings = {
        f"{binding.verb} {binding.path}"
        for method in contracts.methods()
        if "envoy" in method.policy.callers
        for binding in method.bindings
    }
    assert Counter(route["name"] for route in forwarded()) == Counter(bindings)
    assert len(bindings) > 15


def test_what_others_call_has_no_binding() -> None:
    internal = [method for method in contracts.methods() if "envoy" not in method.policy.callers]
    assert internal
    assert not [method.full_name for method in internal if method.bindings]


def test_the_table_is_what_envoy_takes() -> None:
    protos.message(
        "envoy.config.route.v3.RouteConfiguration", routes.route_configuration(contracts.exposed(), [PAGE], ["x"])
    )


def test_routes_match_one_method_and_exact_paths_before_patterns() -> None:
    made = forwarded()
    for route in made:
        verbs = [header for header in route["match"]["headers"] if header["name"] == ":method"]
        assert [verb["string_match"]["exact"] for verb in verbs] == [route["name"].split()[0]]
    kinds = ["path" in route["match"] for route in made]
    assert kinds == sorted(kinds, reverse=True)


def test_the_last_route_refuses_the_rest() -> None:
    last = table()[-1]
    assert (last["match"], last["direct_response"]) == ({"prefix": "/"}, {"status": 404})


@pytest.mark.clause("ASVS 8.2.1")
def test_only_what_needs_nobody_runs_without_the_session_chain() -> None:
    for route in forwarded():
        one = EXPOSED[tuple(route["name"].split(" ", 1))]
        if one.method.policy.subject is Subject.NOBODY:
            assert set(names.SESSION_CHAIN) <= off(route)
            assert route["request_headers_to_remove"] == [names.ASSERTION]
        else:
            assert not set(names.SESSION_CHAIN) & off(route)
            context = route["typed_per_filter_config"][names.AUTHZ]["check_settings"]["context_extensions"]
            passive = one.method.policy.passive or one.method.policy.authenticates
            assert context == {"passive": str(passive).lower()}


def test_each_route_is_limited_by_its_class_alone() -> None:
    limits = {filters.rate_filter(rate) for rate in RateClass}
    for route in forwarded():
        one = EXPOSED[tuple(route["name"].split(" ", 1))]
        assert limits & set(route["typed_per_filter_config"]) == {filters.rate_filter(one.method.policy.rate)}


def test_a_flood_of_sign_ins_fills_a_limit_of_its_own() -> None:
    classes = {name: one.method.policy.rate for name, one in EXPOSED.items()}
    first = [tuple(route["name"].split(" ", 1)) for route in forwarded() if "priority" not in route["route"]]
    assert set(first) == {name for name, rate in classes.items() if rate is RateClass.CREDENTIAL}
    assert ("POST", "/v1/session:signIn") in first
    envoy = replace(config("valv.example").envoy, credential_calls=7)
    made = clusters.cluster(clusters.Upstream("auth", "auth"), envoy)
    few, many = made["circuit_breakers"]["thresholds"]
    assert (few.get("priority", "DEFAULT"), few["max_requests"]) == ("DEFAULT", 7)
    assert (many["priority"], many["max_requests"]) == ("HIGH", 4096)


def test_bytes_go_to_the_data_plane_unbuffered_and_without_an_end() -> None:
    for route in forwarded():
        one = EXPOSED[tuple(route["name"].split(" ", 1))]
        if one.method.policy.plain_http:
            assert route["route"]["cluster"] == f"{one.role}_data"
            assert route["route"]["timeout"] == "0s"
            assert names.TRANSCODE in off(route)
        else:
            assert route["route"]["cluster"] == one.role
            assert names.TRANSCODE not in off(route)


def test_bodies_are_json_unless_the_policy_says_otherwise() -> None:
    refusing = {route["name"] for route in table() if route.get("direct_response") == {"status": 415}} - {"grpc"}
    expected = {
        f"{one.binding.verb} {one.binding.path}"
        for one in contracts.exposed()
        if one.binding.body and "*/*" not in one.method.policy.media_types
    }
    assert refusing == expected


def test_what_may_change_who_is_signed_in_clears_the_assertion() -> None:
    clearing = {route["name"] for route in forwarded() if "response_headers_to_add" in route}
    assert "POST /v1/session:signIn" in clearing
    for name in clearing:
        policy = EXPOSED[tuple(name.split(" ", 1))].method.policy
        assert policy.authenticates or (policy.subject, policy.effect) == (Subject.NOBODY, Effect.WRITE)


@pytest.mark.clause("P8", "ASVS 7.2.4")
def test_only_a_call_that_changes_who_is_signed_in_sees_what_the_browser_remembers() -> None:
    seen = set()
    for route in forwarded():
        policy = EXPOSED[tuple(route["name"].split(" ", 1))].method.policy
        added = {one["header"]["key"] for one in route.get("request_headers_to_add", ())}
        assert added == ({names.EARLIER_SESSION, names.DEVICE} if policy.authenticates else set())
        assert (names.REMEMBERED in route["typed_per_filter_config"]) == policy.authenticates
        if policy.authenticates:
            seen.add(route["name"])
            assert names.REMEMBERED not in off(route)
            assert "response_headers_to_add" in route
    assert "POST /v1/session:signIn" in seen


def test_a_customers_method_for_any_origin_is_refused() -> None:
    one = EXPOSED["GET", "/v1/session"]
    loose = replace(one, method=replace(one.method, policy=replace(one.method.policy, any_origin=True)))
    with pytest.raises(PolicyError):
        routes.api_routes(loose)


def test_another_limit_on_the_body_turns_its_own_filter_on() -> None:
    one = EXPOSED["POST", "/v1/cards"]
    larger = replace(one, method=replace(one.method, policy=replace(one.method.policy, max_request_bytes=1 << 20)))
    (route, _) = routes.api_routes(larger)
    assert names.BODY in off(route)
    assert route["typed_per_filter_config"][f"body_{1 << 20}"] != DISABLED


@pytest.mark.parametrize(
    "template,matched,missed",
    [
        ("/v1/files/{file}", "/v1/files/fil_1", "/v1/files/fil_1/content"),
        ("/v1/files/{file}", "/v1/files/a.b", "/v1/files/"),
        ("/v1/files/{file}:restore", "/v1/files/a:restore", "/v1/files/a"),
        ("/log/tile/{path=**}", "/log/tile/0/x001/234.p/5", "/log/tile/"),
        ("/v1/{name=files/*}/x", "/v1/files/a/x", "/v1/cards/a/x"),
    ],
)
def test_templates_match_no_more_than_they_say(template: str, matched: str, missed: str) -> None:
    regex = path_template.parse(template).regex
    assert regex is not None
    assert re.fullmatch(regex, matched)
    assert not re.fullmatch(regex, missed)


@pytest.mark.parametrize("text", ["v1", "/v1/*", "/v1/{file", "/v1/{File}"])
def test_what_is_no_template_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="path template"):
        path_template.parse(text)
