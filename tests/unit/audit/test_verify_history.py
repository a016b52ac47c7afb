"""`valv verify`: checkpoints beside each other, consistency proofs, and the witnesses that a policy asks for."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.cli.verify import main
from deploy.cli.verify.note import Key, Kind
from deploy.cli.verify.trust import PolicyError, Trust, parse_policy
from services.audit.note import Signer
from services.audit.tree import Edge
from tests.unit.audit.memory import Memory
from tests.unit.audit.test_verify import verify

pytestmark = pytest.mark.clause("P5")
ORIGIN = "valv.example/log"


@dataclass
class Witness:
    """Somebody who cosigns."""

    name: str
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def public(self) -> Key:
        return Key(self.name, Kind.WITNESS, self.key.public_key().public_bytes_raw())

    @property
    def vkey(self) -> str:
        return vkey(self.public)

    def line(self, note: bytes, time: int = 1_790_000_000, name: str = "") -> bytes:
        """A cosignature as c2sp.org/tlog-cosignature@v1.0.1 writes it."""
        text = note[: note.rindex(b"\n\n") + 1]
        signature = self.key.sign(b"cosignature/v1\ntime %d\n" % time + text)
        blob = base64.b64encode(self.public.key_id + time.to_bytes(8) + signature)
        return f"\u2014 {name or self.name} ".encode() + blob + b"\n"


def vkey(key: Key) -> str:
    return f"{key.name}+{key.key_id.hex()}+{base64.b64encode(bytes([key.kind]) + key.public).decode()}"


@dataclass
class Log:
    """A log in memory, signed at sizes 300 and 700."""

    folder: Path
    signer: Signer
    tiles: Memory
    notes: dict[int, bytes] = field(default_factory=dict)

    def file(self, name: str, data: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(data)
        return path

    def head(self, size: int) -> Path:
        return self.file(f"head{size}", self.notes[size])

    async def proof(self, old: int, new: int) -> bytes:
        lines = [base64.b64encode(each).decode() for each in await self.tiles.reader(new).consistency(old)]
        return "\n".join([f"old {old}", *lines, "", ""]).encode() + self.notes[new]


@pytest.fixture
def log(tmp_path: Path) -> Log:
    made = Log(tmp_path, Signer(ORIGIN, Ed25519PrivateKey.generate()), Memory())
    edge = Edge()
    for size in (0, 300, 700):
        growth = edge.grow(index.to_bytes(33) for index in range(edge.size, size))
        made.tiles.put(growth.files)
        edge = growth.edge
        root = base64.b64encode(edge.root()).decode()
        made.notes[size] = made.signer.sign(f"{ORIGIN}\n{size}\n{root}\n")
    return made


async def test_a_pair_with_its_proof_is_consistent(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    proof = log.file("proof", await log.proof(300, 700))
    assert verify(proof, log.head(300), log.head(700), key=log.signer.verifier.vkey) == 0
    assert f"OK   {proof}: the log of 700 entries begins with the 300 entries of" in capsys.readouterr().out
    assert verify(proof, log.head(300), key=log.signer.verifier.vkey) == 0
    assert verify(log.head(0), log.head(700), key=log.signer.verifier.vkey) == 0


async def test_a_pair_without_proof_is_left_open(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(log.head(300), log.head(700), key=log.signer.verifier.vkey) == 2
    assert (
        f"OPEN {log.folder / 'head700'}: that the tree of 700 entries continues that of 300" in capsys.readouterr().out
    )
    assert verify(log.file("proof", await log.proof(300, 700)), key=log.signer.verifier.vkey) == 2
    assert verify(log.head(700), log.head(700), key=log.signer.verifier.vkey) == 0


async def test_no_changed_bit_of_a_proof_passes(log: Log) -> None:
    data, vkey = await log.proof(300, 700), log.signer.verifier.vkey
    for at in range(len(data)):
        path = log.file("proof", data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert verify(path, log.head(300), key=vkey) in {1, 2}, at  # 2: it claims to start elsewhere
        if data[at : at + 1].isalnum() and at > data.index(b"\n"):
            assert verify(path, log.head(300), key=vkey) == 1, at
    lines = data.split(b"\n")
    for bent in (lines[:1] + lines[2:], [*lines[:2], lines[1], *lines[2:]], [b"old 0", *lines[1:]]):
        assert verify(log.file("proof", b"\n".join(bent)), log.head(300), log.head(0), key=vkey) == 1


async def test_a_log_that_was_begun_anew_is_found_by_its_proof(log: Log) -> None:
    forged = log.signer.sign(f"{ORIGIN}\n300\n{base64.b64encode(bytes(32)).decode()}\n")
    proof = log.file("proof", await log.proof(300, 700))
    assert verify(proof, log.file("forged", forged), key=log.signer.verifier.vkey) == 1


def test_two_trees_of_one_size_prove_a_fork(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    forged = log.signer.sign(f"{ORIGIN}\n300\n{base64.b64encode(bytes(32)).decode()}\n")
    assert verify(log.head(300), log.file("forged", forged), "--json", key=log.signer.verifier.vkey) == 1
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["state"], one["kind"]) for one in shown] == [
        ("ok", "checkpoint"),
        ("ok", "checkpoint"),
        ("bad", "history"),
    ]
    assert shown[2]["other"] == str(log.folder / "head300")
    assert shown[0]["size"] == 300


class TestWitnesses:
    """A checkpoint counts when a log signed it and enough of the witnesses cosigned it."""

    def policy(self, log: Log, *rest: str, key: bool = True) -> Path:
        lines = [f"log {log.signer.verifier.vkey}"] if key else []
        return log.file("policy", "\n".join([*lines, "# who must have seen it", *rest, ""]).encode())

    def check(self, log: Log, policy: Path, *lines: bytes) -> int:
        return main(["--policy", str(policy), str(log.file("head", log.notes[300] + b"".join(lines)))])

    def test_enough_witnesses_make_it_count(self, log: Log) -> None:
        anna, bo, cleo = Witness("anna"), Witness("bo.example/w"), Witness("cleo")
        named = [f"witness w{number} {each.vkey}" for number, each in enumerate((anna, bo, cleo))]
        note = log.notes[300]
        policy = self.policy(log, *named, "group most 2 w0 w1 w2", "quorum most")
        assert self.check(log, policy, anna.line(note), cleo.line(note)) == 0
        assert self.check(log, policy, anna.line(note), anna.line(note, time=5)) == 1
        assert self.check(log, policy, anna.line(note), Witness("cleo").line(note)) == 1
        assert self.check(log, policy) == 1
        nested = self.policy(log, *named, "group a any w0 w1", "group b all a w2", "quorum b")
        assert self.check(log, nested, bo.line(note), cleo.line(note)) == 0
        assert self.check(log, nested, anna.line(note), bo.line(note)) == 1
        assert self.check(log, self.policy(log, *named, "quorum none")) == 0
        assert self.check(log, self.policy(log, *named, "quorum w1"), bo.line(note)) == 0

    def test_a_wrong_cosignature_of_a_known_witness_spoils_the_note(self, log: Log) -> None:
        anna = Witness("anna")
        policy = self.policy(log, f"witness a {anna.vkey}", "quorum none")
        line = anna.line(log.notes[700])
        assert self.check(log, policy, line) == 1
        blob = base64.b64decode(line.split(b" ")[2])
        for bent in (blob[:-1], blob + b"x", blob[:4] + b"\xff" + blob[5:], blob[:12]):
            assert self.check(log, policy, b"\xe2\x80\x94 anna " + base64.b64encode(bent) + b"\n") == 1

    def test_the_logs_of_a_policy_are_the_only_ones(self, log: Log) -> None:
        stranger = Signer(ORIGIN, Ed25519PrivateKey.generate()).verifier.vkey
        policy, head = self.policy(log, "quorum none"), str(log.head(300))
        assert main(["--policy", str(policy), "--key", log.signer.verifier.vkey, head]) == 0
        assert main(["--policy", str(policy), "--key", stranger, head]) == 2
        unnamed = self.policy(log, "quorum none", key=False)
        assert main(["--policy", str(unnamed), head]) == 2
        assert main(["--policy", str(unnamed), "--key", log.signer.verifier.vkey, head]) == 0

    @pytest.mark.parametrize(
        "lines",
        [
            [],
            ["quorum none", "quorum none"],
            ["quorum a"],
            ["witness a KEY", "witness a OTHER", "quorum a"],
            ["witness a KEY", "witness b KEY", "quorum a"],
            ["witness none KEY", "quorum none"],
            ["witness a LOG", "quorum a"],
            ["witness a nonsense", "quorum a"],
            ["log KEY", "quorum none"],
            ["witness a KEY", "group g 2 a", "quorum g"],
            ["witness a KEY", "group g 0 a", "quorum g"],
            ["witness a KEY", "group g any", "quorum g"],
            ["witness a KEY", "group g any b", "quorum g"],
            ["witness a KEY", "group g any none", "quorum g"],
            ["witness a KEY", "group g any a a", "quorum g"],
            ["witness a KEY", "group g any a", "group h any a", "quorum g"],
            ["witness a KEY\r", "quorum a"],
            ["witness a KEY url more", "quorum a"],
            ["other line", "quorum none"],
            ["quorum"],
        ],
    )
    def test_what_is_no_policy_is_refused(self, log: Log, lines: list[str]) -> None:
        keys = {"KEY": Witness("a").vkey, "OTHER": Witness("b").vkey, "LOG": log.signer.verifier.vkey}
        text = "\n".join(" ".join(keys.get(word, word) for word in line.split(" ")) for line in lines)
        if lines == ["witness a KEY\r", "quorum a"]:
            text = text.replace("KEY\r", f"{keys['KEY']}\r")
        with pytest.raises(PolicyError):
            parse_policy(text.encode())

    def test_names_are_octets_and_blanks_are_space_and_tab(self) -> None:
        key = Witness("a").vkey
        found = parse_policy(f"\t witness  \u212a\t{key} https://w.example \n\n quorum \u212a\n".encode())
        assert isinstance(found, Trust)
        assert found.quorum.encode("latin-1").decode() == "\u212a"
