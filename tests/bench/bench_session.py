"""One route with a session and without: two installations of Valv that differ in the policy of one method.

In the second, `PracticesService.ListPractices` is for customers: Envoy verifies an assertion and the service checks it,
its session's end and the revocations. Everything else is the same code on rows of the same kind. No route of Valv works
both ways, so one had to be made; the contracts are generated anew for it, in a folder of their own.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import httpx

from deploy.cli.layout import REPOSITORY
from tests.bench.bench_house import AT_ONCE, rate, unlimited
from tests.support.live import Live
from tests.support.person import newcomer

CONTRACT = "valv/audit/v1/practices.proto"
ROUTE = "/v1/practices"
REQUESTS = 2000
ROUNDS = 4
_TICKS = os.sysconf("SC_CLK_TCK")


def run() -> dict[str, float]:
    """Measure; rates per second, and milliseconds of CPU that all processes of an installation spend on a request."""
    with tempfile.TemporaryDirectory(prefix="valv-bench-") as name:
        folder = Path(name)
        without, having = Live(folder / "without"), Live(folder / "having")
        try:
            for live in (without, having):
                unlimited(live)
            without.start()
            os.environ["PYTHONPATH"] = str(_contracts(folder / "contracts"))
            try:
                having.start()
            finally:
                del os.environ["PYTHONPATH"]
            return asyncio.run(_measure(without, having))
        finally:
            having.close()
            without.close()


def _contracts(folder: Path) -> Path:
    """Return a folder of stubs in which the route is for customers."""
    protos = REPOSITORY / "protos"
    shutil.copytree(protos / "valv", folder / "protos" / "valv")
    shutil.copytree(protos / "gen", folder / "gen")
    contract = folder / "protos" / CONTRACT
    text = contract.read_text("utf-8")
    before, after = text.split("SUBJECT_NOBODY", 1)
    after = after.replace("      any_origin: true\n", "", 1)  # pages of others may not use a customer's session
    contract.write_text(f"{before}SUBJECT_CUSTOMER{after}", "utf-8")
    includes = [f"-I{folder / 'protos'}", f"-I{protos / '.deps'}"]
    protoc = [sys.executable, "-m", "grpc_tools.protoc", *includes, f"--python_out={folder / 'gen'}", CONTRACT]
    subprocess.run(protoc, check=True)
    return folder / "gen"


async def _measure(without: Live, having: Live) -> dict[str, float]:
    rates, spent = {without: 0.0, having: 0.0}, {without: 0.0, having: 0.0}
    person = newcomer(having)
    only = {"Valv-Session": person.token}
    if (await asyncio.to_thread(person.live.client().get, ROUTE)).status_code != httpx.codes.UNAUTHORIZED:
        raise RuntimeError("the second installation serves the route to anybody")
    limits = httpx.Limits(max_connections=2 * AT_ONCE, max_keepalive_connections=2 * AT_ONCE)
    async with (
        httpx.AsyncClient(verify=having.trust, limits=limits, timeout=30) as client,
        httpx.AsyncClient(verify=without.trust, limits=limits, timeout=30) as other,
    ):
        for number in range(ROUNDS):  # in turn, so that both meet the same machine
            given = await client.get(f"{having.address}/v1/files", headers=only)
            headers = {**only, "Valv-Assertion": given.headers["valv-assertion"]}
            turns = [(without, other, {}), (having, client, headers)]
            for live, through, own in turns if number % 2 else reversed(turns):
                before = _spent(live)
                one = partial(_ask, through, live.address + ROUTE, own)
                rates[live] += (await rate(one, REQUESTS // ROUNDS))[0] / ROUNDS
                spent[live] += (_spent(live) - before) / REQUESTS
    return {
        "without_a_session_per_second": rates[without],
        "with_a_session_per_second": rates[having],
        "with_to_without_ratio": rates[having] / rates[without],
        "without_a_session_cpu_ms": spent[without] * 1000,
        "with_a_session_cpu_ms": spent[having] * 1000,
        "cpu_without_to_with_ratio": spent[without] / spent[having],
    }


async def _ask(client: httpx.AsyncClient, url: str, headers: dict[str, str]) -> None:
    (await client.get(url, headers=headers)).raise_for_status()


def _spent(live: Live) -> float:
    """Return the CPU seconds that an installation's processes have spent."""
    ticks = 0
    for pid in live.pids().values():
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS
