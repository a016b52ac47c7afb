"""A snapshot is immutable, versioned by content, silent about keys, and holds nothing off the list."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from envoy.extensions.filters.http.composite.v3 import composite_pb2
from envoy.extensions.filters.http.lua.v3 import lua_pb2

from services.gateway.config import RatesConfig
from services.gateway.xds import allowed, filters, names, protos, snapshot
from services.kit.secret import Secret
from tests.unit.gateway.house import composer, inputs

LISTENER = snapshot.type_url(snapshot.LISTENER)
ROUTER = "envoy.extensions.filters.http.router.v3.Router"
LUA = str(lua_pb2.Lua.DESCRIPTOR.full_name)
COMPOSITE = str(composite_pb2.Composite.DESCRIPTOR.full_name)
HCM = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"


def listener(*http_filters: dict[str, Any]) -> dict[str, Any]:
    manager = protos.extension("http", HCM, {"stat_prefix": "x", "http_filters": list(http_filters)})
    return {"name": "public", "filter_chains": [{"filters": [manager]}]}


def test_the_whole_edge_is_on_the_list() -> None:
    made = composer().compose(inputs())
    assert {url.rpartition(".")[2]: len(found) for url, found in made.resources.items()} == {
        "Secret": 1,
        "Cluster": 5,
        "ClusterLoadAssignment": 5,
        "TypedExtensionConfig": 1,
        "Listener": 1,
        "RouteConfiguration": 1,
    }


@pytest.mark.clause("P6")
@pytest.mark.parametrize(
    "spoiled",
    [
        listener(protos.extension("x", LUA, {})),
        listener({"name": "x", "typed_config": protos.typed_struct("envoy.extensions.filters.http.tap.v3.Tap", {})}),
        listener(
            protos.extension("x", COMPOSITE, {}),
            protos.extension("router", ROUTER),
        ),
    ],
)
def test_a_filter_off_the_list_is_refused_at_any_depth(spoiled: dict[str, Any]) -> None:
    with pytest.raises(allowed.NotAllowedError):
        snapshot.build({snapshot.LISTENER: [spoiled]})


def test_a_route_cannot_bring_a_filter_either() -> None:
    per_route = {"x": protos.typed_struct("envoy.extensions.filters.http.lua.v3.LuaPerRoute", {})}
    route = {"match": {"prefix": "/"}, "direct_response": {"status": 200}, "typed_per_filter_config": per_route}
    table = {"name": "public", "virtual_hosts": [{"name": "x", "domains": ["*"], "routes": [route]}]}
    with pytest.raises(allowed.NotAllowedError):
        snapshot.build({snapshot.ROUTES: [table]})


def test_the_same_inputs_make_the_same_versions() -> None:
    one, other = composer().compose(inputs()), composer().compose(inputs())
    assert (one.digest, one.versions) == (other.digest, other.versions)


def test_new_keys_change_the_keys_alone() -> None:
    before, after = composer().compose(inputs()), composer().compose(inputs(jwks='{"keys": [1]}'))
    changed = {url for url in before.versions if before.versions[url] != after.versions[url]}
    assert changed == {snapshot.type_url(snapshot.EXTENSION)}
    assert before.digest != after.digest


def test_the_digest_says_nothing_about_the_private_key() -> None:
    one, other = (composer().compose(inputs(key=Secret(text))) for text in ("private", "another"))
    assert one.digest == other.digest
    url = snapshot.type_url(snapshot.SECRET)
    assert one.resources[url]["public"] != other.resources[url]["public"]


def test_a_snapshot_cannot_be_changed() -> None:
    made = composer().compose(inputs())
    with pytest.raises(FrozenInstanceError):
        made.digest = ""  # type: ignore[misc]  # mypy infers no type for a lambda with defaults, or for an unpacked mapping
    with pytest.raises(TypeError):
        made.versions["x"] = ""  # type: ignore[index]  # the test is that it cannot be assigned
    with pytest.raises(TypeError):
        made.resources[LISTENER]["public"] = None  # type: ignore[index]  # the test is that it cannot be assigned


def test_the_chain_strips_before_it_verifies_and_verifies_before_it_asks() -> None:
    found = [one["name"] for one in filters_of()]
    order = [
        names.HEADERS,
        names.ORIGIN,
        names.BODY,
        names.REMEMBERED,
        *names.SESSION_CHAIN,
        names.TRANSCODE,
        names.ROUTER,
    ]
    assert [name for name in found if name in order] == order
    disabled = {one["name"] for one in filters_of() if one.get("disabled")}
    assert disabled == {name for name in found if name.startswith("rate_")} | {names.COMPRESS, names.REMEMBERED}


def test_hsts_is_for_everyone_but_localhost() -> None:
    assert b"strict-transport-security" not in _listener("localhost:8443")
    assert b"strict-transport-security" in _listener("valv.example")


def test_only_the_edges_own_origins_are_admitted() -> None:
    found = _listener("valv.example", "www.valv.example")
    assert b"https://valv.example" in found
    assert b"https://www.valv.example" in found


def _listener(*names: str) -> bytes:
    return bytes(composer(*names).compose(inputs()).resources[LISTENER]["public"].value)


def filters_of() -> list[dict[str, Any]]:
    return filters.chain(RatesConfig(), ["https://x"], [65536], filters.transcode(b"", ()), hsts=True)
