"""Discovery: what is subscribed is sent once per version; a refusal goes back to what was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from envoy.service.discovery.v3 import discovery_pb2

from services.gateway.xds.ads import Ads, RefusedError
from services.gateway.xds.snapshot import CLUSTER, ENDPOINTS, Snapshot, build, type_url
from services.kit.telemetry import Log

CDS, EDS = type_url(CLUSTER), type_url(ENDPOINTS)


def made(*names: str, timeout: str = "1s") -> Snapshot:
    clusters = [{"name": name, "connect_timeout": timeout} for name in names]
    return build({CLUSTER: clusters, ENDPOINTS: [{"cluster_name": name} for name in names]})


class Envoy:
    """Speaks the protocol as Envoy does, refusing on demand."""

    def __init__(self, ads: Ads) -> None:
        self.requests: asyncio.Queue[discovery_pb2.DiscoveryRequest] = asyncio.Queue()
        self.got: list[discovery_pb2.DiscoveryResponse] = []
        self.refuse: set[str] = set()
        self.broken = False
        self.names: dict[str, tuple[str, ...]] = {}
        self.task = asyncio.create_task(ads.stream(self._read(), self._write))

    async def _read(self) -> AsyncIterator[discovery_pb2.DiscoveryRequest]:
        while True:
            yield await self.requests.get()

    async def _write(self, response: discovery_pb2.DiscoveryResponse) -> None:
        if self.broken:
            raise ConnectionError
        self.got.append(response)
        answer = discovery_pb2.DiscoveryRequest(
            type_url=response.type_url, response_nonce=response.nonce, resource_names=self.names.get(response.type_url)
        )
        if response.version_info in self.refuse:
            answer.error_detail.code = 13
            answer.error_detail.message = "secret part of the configuration"
        self.requests.put_nowait(answer)

    async def subscribe(self, url: str, *names: str) -> None:
        self.names[url] = names
        self.requests.put_nowait(discovery_pb2.DiscoveryRequest(type_url=url, resource_names=names))
        await asyncio.sleep(0.01)

    def versions(self, url: str) -> list[str]:
        return [response.version_info for response in self.got if response.type_url == url]


@pytest.fixture
async def ads() -> Ads:
    return Ads(Log("test"))


@pytest.fixture
async def envoy(ads: Ads) -> AsyncIterator[Envoy]:
    envoy = Envoy(ads)
    yield envoy
    envoy.task.cancel()
    await asyncio.gather(envoy.task, return_exceptions=True)


async def test_who_connects_first_waits_for_the_first_snapshot(ads: Ads, envoy: Envoy) -> None:
    await envoy.subscribe(CDS)
    assert envoy.got == []
    await ads.push(made("a"))
    (response,) = envoy.got
    assert len(response.resources) == 1


async def test_only_what_changed_is_sent(ads: Ads, envoy: Envoy) -> None:
    await ads.push(made("a"))
    await envoy.subscribe(CDS)
    await envoy.subscribe(EDS)
    await ads.push(made("a", timeout="2s"))
    assert (len(envoy.versions(CDS)), len(envoy.versions(EDS))) == (2, 1)


async def test_names_are_heeded_and_may_change(ads: Ads, envoy: Envoy) -> None:
    await ads.push(made("a", "b"))
    await envoy.subscribe(EDS, "a")
    assert [len(response.resources) for response in envoy.got] == [1]
    envoy.names[EDS] = ("a", "b")
    more = discovery_pb2.DiscoveryRequest(type_url=EDS, resource_names=["a", "b"], response_nonce=envoy.got[-1].nonce)
    envoy.requests.put_nowait(more)
    await asyncio.sleep(0.01)
    assert len(envoy.got[1].resources) == 2


async def test_an_answer_to_something_older_is_ignored(ads: Ads, envoy: Envoy) -> None:
    await ads.push(made("a"))
    await envoy.subscribe(CDS)
    old = discovery_pb2.DiscoveryRequest(type_url=CDS, response_nonce="0")
    old.error_detail.code = 13
    envoy.requests.put_nowait(old)
    await ads.push(made("b"))
    assert ads.snapshot is not None
    assert envoy.versions(CDS)[-1] == ads.snapshot.versions[CDS]


async def test_a_refusal_goes_back_and_says_no_more_than_the_type(ads: Ads, envoy: Envoy) -> None:
    good, bad = made("a"), made("b")
    await ads.push(good)
    await envoy.subscribe(CDS)
    await envoy.subscribe(EDS)
    envoy.refuse = {bad.versions[CDS]}
    with pytest.raises(RefusedError) as refused:
        await ads.push(bad)
    assert str(refused.value) == "Cluster"
    assert ads.snapshot is good
    assert envoy.versions(CDS)[-1] == good.versions[CDS]
    assert bad.versions[EDS] not in envoy.versions(EDS)


async def test_an_envoy_that_leaves_holds_nothing_up(ads: Ads, envoy: Envoy) -> None:
    await envoy.subscribe(CDS)
    envoy.task.cancel()
    await asyncio.sleep(0.01)
    await asyncio.wait_for(ads.push(made("a")), 1)


async def test_a_broken_stream_does_not_keep_others_from_theirs(ads: Ads, envoy: Envoy) -> None:
    other = Envoy(ads)
    for one in (envoy, other):
        await one.subscribe(CDS)
    envoy.broken = True
    await asyncio.wait_for(ads.push(made("a")), 1)
    assert len(other.versions(CDS)) == 1
    other.task.cancel()
    await asyncio.gather(other.task, return_exceptions=True)
