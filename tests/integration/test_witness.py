"""Witnesses cosign each head; what they say is verified; what is served has as many cosignatures as are required."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import select

from services.audit.checkpoint import Checkpoint, open_checkpoint, sign_next
from services.audit.errors import HaltError
from services.audit.heads import CheckpointReader
from services.audit.note import signature_lines
from services.audit.store import SignedHead
from services.audit.witness import app
from services.audit.witness.app import Witnesses
from services.audit.witness.client import LONGEST, HttpWitness, WitnessAwayError
from services.audit.witness.config import WitnessConfig, WitnessesConfig
from services.audit.witness.publisher import Publisher
from services.kit.faults import Fault
from services.kit.telemetry import Log
from tests.support.pki import Pki
from tests.support.witness import TestWitness
from tests.unit.audit.world import World, databases, make_world, migrate_all
from valv.audit.v1 import event_pb2


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A log over SQLite and a directory."""
    await asyncio.to_thread(migrate_all, databases(tmp_path))
    async with make_world(tmp_path) as made:
        yield made


@pytest.fixture
def three(world: World) -> Iterator[list[TestWitness]]:
    """Three witnesses of the log."""
    with ExitStack() as stack:
        made = [TestWitness(world.signer.verifier, world.clock, f"witness.example/w{number}") for number in range(3)]
        yield [stack.enter_context(each.serve()) for each in made]


def configured(witnesses: list[TestWitness], require: int, *, monitored: bool = False) -> WitnessesConfig:
    each = tuple(
        WitnessConfig(
            name=f"w{number}",
            vkey=witness.vkey,
            url=witness.url,
            monitor_url=witness.url.replace("/w", "/m") if monitored else None,
            timeout=0.5,
        )
        for number, witness in enumerate(witnesses)
    )
    return WitnessesConfig(each, require)


@asynccontextmanager
async def served(
    world: World, witnesses: list[TestWitness], require: int, *, monitored: bool = False
) -> AsyncIterator[tuple[Witnesses, Publisher, CheckpointReader]]:
    """The log's parts that speak with the witnesses."""
    config = configured(witnesses, require, monitored=monitored)
    made = app.build(config, world.checkpoints, world.tiles, world.signer.verifier)
    world.sequencer._outside = made.outside()
    publisher = made.publisher(world.journal, world.clock, Log("test"), lambda: True)
    try:
        yield made, publisher, CheckpointReader(world.checkpoints, world.clock, witnessed=True)
    finally:
        await made.close()


async def latest(world: World, heads: CheckpointReader) -> tuple[int, list[str]]:
    """The size that is served, and who signed it."""
    world.clock.advance(1)
    found = await heads.latest()
    if found is None:
        return 0, []
    note, head = found
    assert open_checkpoint(note, world.signer.verifier) == head
    return head.size, [name for _, name, _ in signature_lines(note[len(head.text.encode()) + 1 :])]


async def refusals(world: World) -> list[tuple[str, str]]:
    async with world.database.read() as connection:
        rows = (await connection.execute(select(world.outbox.table.c.event))).scalars()
        events = [event_pb2.Event.FromString(data) for data in rows]
    return [(event.object.id, event.reason) for event in events if event.action == "audit.witness.refuse"]


@pytest.mark.clause("P5")
async def test_each_head_is_served_with_the_cosignatures_of_all(world: World, three: list[TestWitness]) -> None:
    async with served(world, three, 2) as (_, publisher, heads):
        for count in (3, 1, 300):
            await world.fill(count)
            head = await world.sign()
            await publisher.step()
            size, signers = await latest(world, heads)
            assert size == head.size
            assert signers == [world.signer.name, *(each.name for each in three)]
            assert await world.tiles.published() == (await heads.latest() or (b"",))[0]
        assert [old for _, old in three[0].asked] == [0, 3, 4], "consistency is shown from what it has seen"
        asked = len(three[0].asked)
        await publisher.step()
        assert len(three[0].asked) == asked, "a head is shown once"


@pytest.mark.clause("P5")
async def test_a_restarted_publisher_learns_from_the_witness_what_it_has_seen(
    world: World, three: list[TestWitness]
) -> None:
    for sizes in ([(0, 5)], [(0, 12), (5, 12)], [(0, 12), (12, 12)]):
        async with served(world, three, 3) as (_, publisher, heads):
            await world.fill(sizes[-1][1] - (await world.signed()).size)
            await world.sign()
            for each in three:
                each.asked.clear()
            await publisher.step()
            assert [(old, int(text.split("\n")[1])) for text, old in three[0].asked] == sizes
            assert (await latest(world, heads))[0] == sizes[-1][1]


@pytest.mark.clause("P5")
@pytest.mark.parametrize("require,size", [(0, 10), (2, 10), (3, 5)])
@pytest.mark.parametrize("behaviour", ["away", "slow", "endless", "redirects"])
async def test_an_absent_witness_stops_no_producer_and_only_what_is_served_without_it(
    world: World, three: list[TestWitness], behaviour: str, require: int, size: int
) -> None:
    async with served(world, three, require) as (_, publisher, heads):
        await world.fill(5)
        await world.sign()
        await publisher.step()
        three[1].behaviour = behaviour
        await world.fill(5)
        assert (await world.sign()).size == 10, "records are taken and signed all the same"
        await publisher.step()
        found, signers = await latest(world, heads)
        assert found == size
        assert (three[1].name in signers) is (size == 5)
        three[1].behaviour = "honest"
        world.clock.advance(60)
        await publisher.step()
        found, signers = await latest(world, heads)
        assert (found, sorted(signers[1:])) == (10, [each.name for each in three])
        assert await refusals(world) == []


@pytest.mark.clause("P5")
@pytest.mark.parametrize("behaviour", ["wrong key", "from the future", "another checkpoint"])
async def test_a_cosignature_that_does_not_hold_does_not_count(
    world: World, three: list[TestWitness], behaviour: str
) -> None:
    three[0].behaviour = behaviour
    async with served(world, three, 3) as (_, publisher, heads):
        await world.fill(5)
        await world.sign()
        for _ in range(3):
            await publisher.step()
            world.clock.advance(60)
        assert await latest(world, heads) == (0, [])
        assert await refusals(world) == [("w0", "WRONG_COSIGNATURE")], "an alarm is recorded once"


@pytest.mark.clause("P5")
async def test_a_witness_that_has_seen_another_tree_refuses_aloud(world: World, three: list[TestWitness]) -> None:
    await world.fill(5)
    signed = await world.sign()
    other = sign_next(world.signer, Checkpoint(signed.origin, 0, signed.root), 5, bytes(32))
    more = sign_next(world.signer, Checkpoint(signed.origin, 0, signed.root), 9, bytes(32))
    three[0].latest = open_checkpoint(other, world.signer.verifier), other
    three[1].latest = open_checkpoint(more, world.signer.verifier), more
    three[2].log = world.signer.verifier.__class__("another.example/log", world.signer.verifier.key)
    async with served(world, three, 1) as (_, publisher, heads):
        await publisher.step()
        assert await latest(world, heads) == (0, [])
        assert sorted(await refusals(world)) == [
            ("w0", "ANOTHER_ROOT"),
            ("w1", "AHEAD_OF_LOG"),
            ("w2", "STATUS_404"),
        ]


async def test_receipts_wait_for_the_cosignatures(world: World, three: list[TestWitness]) -> None:
    async with served(world, three, 2) as (_, publisher, heads):
        world.activity._heads = heads
        anna = world.ids.new("usr")
        (event,) = await world.fill(1, anna)
        await world.sign()
        with pytest.raises(Fault, match="NOT_YET_PROVABLE"):
            await world.activity.receipt(anna, event.id)
        await publisher.step()
        world.clock.advance(1)
        receipt = await world.activity.receipt(anna, event.id)
        assert receipt.count("\n\u2014 ".encode()) == 4


@pytest.mark.clause("P5")
@pytest.mark.parametrize("monitored", [True, False])
async def test_all_of_our_stores_restored_are_found_out(
    world: World, three: list[TestWitness], *, monitored: bool
) -> None:
    """Whoever restores even the checkpoint database finds that somebody else remembers."""
    async with served(world, three, 2) as (_, publisher, _heads):
        await world.fill(5)
        await world.sign()
        old = await world.checkpoints.load()
        assert old is not None
        await world.fill(5)
        new = await world.sign()
        await publisher.step()
    head = await world.checkpoints.load()
    assert head is not None
    await world.checkpoints.swap(head.note, SignedHead(old.note, head.fence))
    await world.tiles.publish(old.note)
    async with served(world, three, 2, monitored=monitored) as (made, _, _heads):
        world.sequencer._outside = made.outside()
        world.sequencer._state, world.sequencer._asked = None, False
        if monitored:
            await world.sequencer.step()
            assert await world.signed() == new
            note = await world.checkpoints.load()
            assert note is not None
            assert note.note == head.note, "ours alone is kept"
        else:
            with pytest.raises(HaltError, match="WITNESS_AHEAD"):
                await world.sequencer.step()


@pytest.mark.clause("P5")
async def test_the_published_copy_is_a_memory_too(world: World) -> None:
    await world.fill(5)
    await world.sign()
    old = await world.checkpoints.load()
    assert old is not None
    await world.fill(5)
    new = await world.sign()
    head = await world.checkpoints.load()
    assert head is not None
    await world.checkpoints.swap(head.note, SignedHead(old.note, head.fence))
    async with make_world(world.folder, clock=world.clock, step=False) as again:
        world.clock.advance(10)
        await again.sequencer.step()
        assert await again.signed() == new


@pytest.mark.clause("P5")
@pytest.mark.parametrize("away,signs", [(0, True), (1, True), (2, False), (3, False)])
async def test_at_start_as_many_must_answer_as_make_it_sure(
    world: World, three: list[TestWitness], away: int, *, signs: bool
) -> None:
    for each in three[:away]:
        each.behaviour = "away"
    async with served(world, three, 2) as (made, _, _heads):
        world.sequencer._outside = made.outside()
        world.sequencer._state, world.sequencer._asked, world.sequencer._sound = None, False, False
        if signs:
            await world.sequencer.step()
            await world.append(world.event())
        else:
            with pytest.raises(WitnessAwayError):
                await world.sequencer.step()
            with pytest.raises(Fault, match="LOG_HALTED"):
                await world.append(world.event())


@pytest.mark.clause("P5")
async def test_two_trees_that_were_signed_halt_the_log(world: World, three: list[TestWitness]) -> None:
    await world.fill(5)
    signed = await world.sign()
    other = sign_next(world.signer, Checkpoint(signed.origin, 0, signed.root), 5, bytes(32))
    three[0].latest = open_checkpoint(other, world.signer.verifier), other
    async with served(world, three, 1, monitored=True) as (made, _, _heads):
        world.sequencer._outside = made.outside()
        world.sequencer._state, world.sequencer._asked = None, False
        with pytest.raises(HaltError, match="CHECKPOINTS_DIFFER"):
            await world.sequencer.step()


ANSWERS = {
    "redirects": b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
    "says too much": b"HTTP/1.1 200 OK\r\n\r\n" + bytes(LONGEST + 1),
    "says too little": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
    "speaks something else": b"SSH-2.0-OpenSSH\r\n",
    "hangs up": b"",
}


@pytest.mark.parametrize("how", [*ANSWERS, "drips"])
async def test_a_witness_that_answers_otherwise_than_specified_is_away(how: str, world: World) -> None:
    asked, ended = list[bytes](), asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            asked.append(await reader.readuntil(b"\r\n"))
            writer.write(ANSWERS.get(how, b"HTTP/1.1 200 OK\r\n\r\n"))
            while how == "drips":
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.05)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        ended.set()

    vkey = TestWitness(world.signer.verifier, world.clock).vkey
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = HttpWitness(WitnessConfig("w0", vkey, f"http://127.0.0.1:{port}", timeout=0.5))
        with pytest.raises(WitnessAwayError):
            await asyncio.wait_for(client.add_checkpoint(0, [], b"note"), 20)
        await client.close()
        await asyncio.wait_for(ended.wait(), 20)
    assert asked == [b"POST /add-checkpoint HTTP/1.1\r\n"]


async def test_a_witness_is_asked_over_tls_that_is_verified(world: World, tmp_path: Path) -> None:
    pki, stranger = Pki(tmp_path / "one"), Pki(tmp_path / "two")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for each in (pki, stranger):
        each.issue([])
    context.load_cert_chain(pki.folder / "browser/edge.pem", pki.folder / "browser/edge.key")
    await world.fill(2)
    await world.sign()
    with TestWitness(world.signer.verifier, world.clock).serve(context) as witness:
        for ca_file, cosigned in ((pki.folder / "browser/ca.pem", True), (stranger.folder / "browser/ca.pem", False)):
            config = WitnessConfig("w0", witness.vkey, witness.url, ca_file=ca_file)
            made = app.build(WitnessesConfig((config,), 1), world.checkpoints, world.tiles, world.signer.verifier)
            stored = await world.checkpoints.load()
            assert stored is not None
            try:
                if cosigned:
                    assert await made.clients[0].add_checkpoint(0, [], stored.note)
                else:
                    with pytest.raises(WitnessAwayError):
                        await made.clients[0].add_checkpoint(2, [], stored.note)
            finally:
                await made.close()
