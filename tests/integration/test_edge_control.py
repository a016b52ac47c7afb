"""The control of the edge: what is pushed, when it is not, how it goes back; and the TLS it listens with."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import grpc
import httpx
import pytest
import pytest_asyncio
from envoy.service.auth.v3 import external_auth_pb2
from envoy.service.discovery.v3 import discovery_pb2

from services.gateway import contracts
from services.gateway.app import pages
from services.gateway.authz import Authorizer, AuthSessions
from services.gateway.composition import Composer, Inputs
from services.gateway.config import Config
from services.gateway.edge import Edge
from services.gateway.handlers import EnvoyServices
from services.gateway.ledger import PUSHED, ROLLED_BACK, Ledger
from services.gateway.publisher import Publisher
from services.gateway.sources import Certificate
from services.gateway.traces import Spans
from services.gateway.xds import routes, snapshot
from services.gateway.xds.ads import Ads
from services.kit.chain import Chain
from services.kit.clients import Channels, PeersConfig
from services.kit.config import load
from services.kit.practices import PRACTICES
from services.kit.server import Server
from services.kit.shipping import AuditSender
from services.kit.telemetry import Log
from services.kit.tls import TLSMaterial
from tests.integration.edge_services import Signer
from tests.integration.edge_stage import Stage


@pytest_asyncio.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    stage = Stage(tmp_path)
    try:
        yield stage
    finally:
        await stage.stop()


class Control:
    """The gateway's parts in this process, with a composer whose next snapshot a test may spoil."""

    def __init__(self, stage: Stage, config: Config) -> None:
        log = Log("gateway")
        self.tls = TLSMaterial(config.tls, stage.clock)
        self.channels = Channels(self.tls, config.peers, stage.clock)
        self.composer = Composer(config, contracts.exposed(), pages(config))
        self.spoil: str | None = None
        self.ads = Ads(log)
        ledger = Ledger(AuditSender(self.channels), stage.clock, stage.ids)
        self.publisher = Publisher(cast("Composer", self), self.ads, ledger, log)
        addresses = {
            "auth": "auth",
            "files": "files",
            "files_data": "files_data",
            "billing": "billing",
            "audit": "audit",
        }
        self.publisher.offer(
            jwks=stage.auth.signer.jwks,
            endpoints={name: (("127.0.0.1", stage.ports[port]),) for name, port in addresses.items()},
        )
        Certificate(config.public.certificate, config.public.key, self.publisher, log).look()
        authorizer = Authorizer(AuthSessions(self.channels.get("auth"), print))
        services = EnvoyServices(self.ads, authorizer, Spans((), lambda _: None), config.tls.trust_domain, log)
        chain = Chain(stage.clock, log, None, None, None, 64)
        self.server = Server(chain, self.tls, stage.ids, max_calls=64)
        self.server.add({}, (services,))

    def compose(self, inputs: Inputs) -> snapshot.Snapshot:
        made = self.composer.compose(inputs)
        if self.spoil is None:
            return made
        table = routes.route_configuration((), (), ("spoiled.example",))
        table["virtual_hosts"][0]["routes"] = [{"match": {"prefix": "/"}, "route": {"cluster": self.spoil}}]
        spoiled = snapshot.build({snapshot.ROUTES: [table]})
        kind = snapshot.type_url(snapshot.ROUTES)
        return snapshot.Snapshot(
            {**made.resources, kind: spoiled.resources[kind]},
            {**made.versions, kind: spoiled.versions[kind]},
            spoiled.digest,
        )


@asynccontextmanager
async def controlled(stage: Stage) -> AsyncIterator[Control]:
    await stage.start_services()
    config = load(Config, stage.write_config())
    control = Control(stage, config)
    await control.server.start(config.service.listen)
    try:
        await control.publisher.publish()
        await stage.start_envoy()
        yield control
    finally:
        await control.server.stop(0)
        await control.channels.close()


def recorded(stage: Stage) -> list[tuple[str, str]]:
    return [(event.action, event.details.digest) for event in stage.audit.events]


async def until(true: Any, seconds: float = 40.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - what is waited for lives in another process
            await asyncio.sleep(0.05)


async def test_a_refused_configuration_is_rolled_back_and_recorded(stage: Stage) -> None:
    async with controlled(stage) as control, stage.client() as client:
        good = control.ads.snapshot
        assert good is not None
        control.spoil = "no-such-cluster"
        await control.publisher.publish()
        assert control.ads.snapshot is good
        assert [action for action, _ in recorded(stage)] == [PUSHED, PUSHED, ROLLED_BACK]
        assert recorded(stage)[1][1] == recorded(stage)[2][1] != good.digest
        assert (await client.get("/v1/practices")).status_code == 200
        await control.publisher.publish()  # the same again: not pushed again
        assert len(recorded(stage)) == 3
        control.spoil = None
        control.publisher.offer(jwks=Signer("k2").jwks)
        await control.publisher.publish()
        assert control.ads.snapshot is not good
        assert recorded(stage)[-1][0] == PUSHED
        assert (await client.get("/v1/practices")).status_code == 200


async def test_only_envoy_may_ask(stage: Stage) -> None:
    async with controlled(stage):
        tls = stage.pki.material("files")
        channels = Channels(tls, PeersConfig(gateway=f"127.0.0.1:{stage.ports['gateway']}"), stage.clock)
        channel = channels.get("gateway").current()
        discover = channel.stream_stream(
            "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources",
            request_serializer=discovery_pb2.DiscoveryRequest.SerializeToString,
            response_deserializer=discovery_pb2.DiscoveryResponse.FromString,
        )
        check = channel.unary_unary(
            "/envoy.service.auth.v3.Authorization/Check",
            request_serializer=external_auth_pb2.CheckRequest.SerializeToString,
            response_deserializer=external_auth_pb2.CheckResponse.FromString,
        )
        request = discovery_pb2.DiscoveryRequest(type_url=snapshot.type_url(snapshot.SECRET))
        for call in (discover(iter([request])).read(), check(external_auth_pb2.CheckRequest())):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call
            assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
        await channels.close()


async def test_new_keys_replace_the_old_ones_at_once(stage: Stage) -> None:
    await stage.start()
    sub, sid = stage.auth.open("tok-keys")
    old = stage.auth.signer.assertion(stage.origin, sub, sid)
    async with stage.client() as client:
        assert (await client.get("/v1/session", headers={"valv-assertion": old})).status_code == 200
        stage.auth.signer = Signer("k2")
        await until(lambda: len(stage.audit.events) == 2)
        new = stage.auth.signer.assertion(stage.origin, sub, sid)

        async def status(token: str) -> int:
            return (await client.get("/v1/session", headers={"valv-assertion": token})).status_code

        for _ in range(100):  # each of Envoy's threads takes the keys by itself
            if (await status(old), await status(new)) == (401, 200):
                break
            await asyncio.sleep(0.02)
        assert (await status(old), await status(new)) == (401, 200)
        assert not stage.auth.renewals
    assert [action for action, _ in recorded(stage)] == [PUSHED, PUSHED]
    epochs = {(epoch, predecessor) for epoch, predecessor, _ in stage.audit.epochs}
    first, second = (number for _, _, number in stage.audit.epochs)
    assert 1 <= first < second
    assert len(epochs) == 1
    assert next(iter(epochs))[1] == "epo_before"


@pytest.mark.clause("P5")
async def test_nothing_is_served_that_audit_does_not_hold(stage: Stage) -> None:
    await stage.start_services()
    await stage.stop_service("audit")
    await stage.start_gateway()
    await stage.start_envoy(wait=False)
    log = stage.folder / "gateway.log"
    await until(lambda: "a configuration could not be recorded, so it is not pushed" in log.read_text())
    await asyncio.sleep(0.5)
    async with stage.client() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("/")
    assert not stage.audit.events
    await stage.start_service("audit")
    await stage.serving()
    assert [action for action, _ in recorded(stage)] == [PUSHED]


async def test_nothing_is_served_before_the_keys_are_known(stage: Stage) -> None:
    await stage.start_services()
    await stage.stop_service("auth")
    await stage.start_gateway()
    await stage.start_envoy(wait=False)
    await asyncio.sleep(2)
    async with stage.client() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("/")
    await stage.start_service("auth")
    await stage.serving()


async def test_the_edge_outlives_its_control_plane(stage: Stage) -> None:
    await stage.start_services()
    gateway = await stage.start_gateway()
    await stage.start_envoy()
    sub, sid = stage.auth.open("tok-alone")
    token = stage.auth.signer.assertion(stage.origin, sub, sid)
    assert await stage.end(gateway) == 0
    async with stage.client() as client:
        assert (await client.get("/v1/session", headers={"valv-assertion": token})).status_code == 200
        away = await client.get("/v1/session", headers={"valv-session": "tok-alone"})
        assert away.status_code == 503
        assert away.json()["details"][0]["reason"] == "UNAVAILABLE"
        stage.audit.head = (stage.audit.epochs[0][0], 1)
        await stage.start_gateway()

        for _ in range(400):
            if (await client.get("/v1/session", headers={"valv-session": "tok-alone"})).status_code == 200:
                break
            await asyncio.sleep(0.1)
        assert stage.auth.renewals == [("tok-alone", True)]
    await until(lambda: len(stage.audit.epochs) == 2)
    assert stage.audit.epochs[1][1] == stage.audit.epochs[0][0]
    assert stage.audit.epochs[1][0] != stage.audit.epochs[0][0]


@pytest.mark.clause("P12", "ASVS 12.1.1", "ASVS 12.1.2")
async def test_only_256_bit_suites_are_spoken(stage: Stage) -> None:
    await stage.start()

    async def handshake(*flags: str) -> str:
        address = f"127.0.0.1:{stage.ports['public']}"
        command = ("openssl", "s_client", "-connect", address, "-servername", "localhost", *flags)
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        out, _ = await process.communicate()
        return out.decode()

    spoken = {
        "TLS_AES_256_GCM_SHA384": await handshake("-tls1_3"),
        "ECDHE-ECDSA-AES256-GCM-SHA384": await handshake("-tls1_2"),
    }
    for suite, told in spoken.items():
        assert f"Cipher is {suite}" in told
    refused = [
        ("-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"),
        ("-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"),
        ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"),
        ("-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"),
        ("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"),
    ]
    for flags in refused:
        assert "Cipher is (NONE)" in await handshake(*flags), flags
    assert "ALPN protocol: h2" in await handshake("-tls1_3", "-alpn", "h2")


async def test_a_replaced_certificate_is_used_for_new_connections(stage: Stage) -> None:
    await stage.start()
    edge = stage.folder / "certs" / "browser" / "edge.pem"
    before = edge.read_bytes()
    edge.unlink()
    stage.pki.issue([])
    assert edge.read_bytes() != before
    await until(lambda: len(stage.audit.events) == 2)
    async with stage.client() as client:
        assert (await client.get("/")).status_code == 200


async def test_old_http_is_refused_and_the_admin_socket_is_its_owners_alone(stage: Stage) -> None:
    await stage.start()
    context = ssl.create_default_context(cafile=str(stage.browser_ca))
    reader, writer = await asyncio.open_connection("localhost", stage.ports["public"], ssl=context)
    writer.write(f"GET / HTTP/1.0\r\nHost: {stage.host}\r\n\r\n".encode())
    assert (await reader.readline()).split()[1] == b"426"
    writer.close()
    assert (stage.folder / "admin.sock").stat().st_mode & 0o777 == 0o600


@pytest.mark.clause("P12", "ASVS 3.4.1")
async def test_an_edge_with_an_address_of_its_own_insists_on_https_and_serves_nothing_in_clear(stage: Stage) -> None:
    stage.host = f"127.0.0.1:{stage.ports['public']}"
    stage.origin = f"https://{stage.host}"
    await stage.start()
    edge = Edge(stage.host, "127.0.0.1", stage.browser_ca, stage.host)
    assert await edge.insists_days() == PRACTICES["gateway.edge_hsts"].threshold
    assert await edge.answers_in_clear() == 0
