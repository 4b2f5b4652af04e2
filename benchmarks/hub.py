"""What a JupyterHub adds: the way through a user's server, what that server has more to carry, and many panels open at one service.

A real hub with its proxy, its service and a user's server, on the memory backend: nothing here is the VMs' doing.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import httpx
import psutil
from websockets.asyncio.client import connect

from benchmarks.fields import ROLE, MemoryField
from benchmarks.report import Table, holds
from tests.hub.a_hub import Hub
from vmpool_ext.backends.memory import MemoryBackend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from websockets.asyncio.client import ClientConnection

    from vmpool_ext.broker.ports import Clock

PANELS, VMS = 200, 1_000
CHANGES = 20
REQUESTS = 300
ROUNDS = 7
QUIET = 10
"""Seconds that the service is watched doing nothing."""
MOST_SECONDS, MOST_MEGABYTES = 0.1, 10
API = "/vmpool/api/v1/"
SERVICE, OWN = "/services/vmpool", "/user/user0"
_IMPORTED = """
import jupyter_server.extension.application, jupyter_server.serverapp, time
from pathlib import Path
pages = lambda: int(Path("/proc/self/statm").read_text().split()[1])
before, began = pages(), time.process_time()
import vmpool_ext.server_extension
print(time.process_time() - began, (pages() - before) * 4096 / 1e6)
"""


class ManyVms(MemoryBackend):
    """All VMs in one pool, for everybody in the group."""

    def __init__(self, clock: Clock, parent: object) -> None:  # noqa: ARG002  # as the service makes it
        field = MemoryField(VMS, 1)
        super().__init__(clock, field.pools, field.vms)


def tables() -> Iterable[Table]:
    """Measure what is added to a server, then the way through it, then the panels."""
    yield _added()
    yield from asyncio.run(_measure())


def _added() -> Table:
    """Import the extension into a server's process that has what every server has."""
    seconds, megabytes = zip(*(_imported() for _ in range(ROUNDS)), strict=True)
    rows = [
        ("CPU at the start, s", f"{median(seconds):.3f}", f"{MOST_SECONDS}", holds(median(seconds), MOST_SECONDS)),
        ("memory, MB", f"{median(megabytes):.1f}", f"{MOST_MEGABYTES}", holds(median(megabytes), MOST_MEGABYTES)),
    ]
    return Table("hub-added", ("added to a user's server", "", "target", "holds"), rows)


def _imported() -> tuple[float, float]:
    command = [sys.executable, "-c", _IMPORTED]
    said = subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()  # noqa: S603  # our own
    return float(said[0]), float(said[1])


async def _measure() -> list[Table]:
    options = [f"--VmPoolService.backend_class={__name__}.ManyVms", "--VmPoolService.acts_at_once=100000"]
    users = [f"user{number}" for number in range(PANELS)]
    with TemporaryDirectory(prefix="vmb-") as folder:
        async with Hub(Path(folder), {ROLE: {"users": users}}, options).running() as hub:
            await hub.start_server(users[0])
            tokens = [await hub.token_of(user) for user in users]
            return [await _ways(hub, tokens[0]), await _panels(hub, tokens)]


async def _ways(hub: Any, token: str) -> Table:
    """Ask the same by both ways, by turns; and the server for what it answers itself."""
    found: dict[str, list[float]] = {SERVICE: [], OWN: [], "itself": []}
    async with httpx.AsyncClient(base_url=hub.url, headers={"Authorization": f"token {token}"}) as client:
        for _ in range(REQUESTS):
            for at, taken in found.items():
                began = time.perf_counter()
                answer = await client.get(f"{OWN}/api/status" if at == "itself" else f"{at}{API}pools")
                taken.append((time.perf_counter() - began) * 1e3)
                answer.raise_for_status()
    words = {SERVICE: "`GET pools` of the service", OWN: "`GET pools` through the user's server", "itself": "`GET api/status` of that server"}  # fmt: skip
    straight = median(found[SERVICE])
    rows = [
        (words[at], f"{median(each):.1f}", f"{quantiles(each, n=100)[98]:.1f}", f"{median(each) - straight:+.1f}")
        for at, each in found.items()
    ]
    return Table("hub-ways", ("asked through the hub's proxy", "p50 ms", "p99 ms", "against the service, ms"), rows)


async def _panels(hub: Any, tokens: list[str]) -> Table:
    """Have everybody look, and one user start and give back again and again."""
    service = _service()
    empty = service.memory_info().rss
    async with AsyncExitStack() as stack:
        panels = [await stack.enter_async_context(_a_panel(hub, token)) for token in tokens]
        held = (service.memory_info().rss - empty) / 1e6
        idle = await _cpu_while(service, asyncio.sleep(QUIET)) / QUIET * 100
        async with httpx.AsyncClient(base_url=hub.url, headers={"Authorization": f"token {tokens[0]}"}) as client:
            waits = [await _changed(client, panels, number) for number in range(CHANGES)]
    last = [max(each) for each in waits]
    every = [wait for each in waits for wait in each]
    rows = [
        ("memory of the service for them, MB", f"{held:.0f}"),
        ("CPU of the service while nothing happens, % of one", f"{idle:.1f}"),
        ("from the sending of a change to a picture, p50 ms", f"{median(every):.0f}"),
        ("the same, p99 ms", f"{quantiles(every, n=100)[98]:.0f}"),
        ("to the last of them, median ms", f"{median(last):.0f}"),
    ]
    return Table("hub-panels", (f"{len(tokens)} panels, {VMS:,} VMs", ""), rows)


@asynccontextmanager
async def _a_panel(hub: Any, token: str) -> AsyncIterator[ClientConnection]:
    url = hub.url.replace("http", "ws", 1) + SERVICE + API + "updates"
    async with connect(url, additional_headers={"Authorization": f"token {token}"}, proxy=None) as panel:
        await panel.recv()
        yield panel


async def _changed(client: httpx.AsyncClient, panels: list[ClientConnection], number: int) -> list[float]:
    """Change something that all see, and tell after how long each did: how many VMs are free."""
    action, free = ("start", VMS - 1) if number % 2 == 0 else ("release", VMS)
    began = time.perf_counter()
    sent = asyncio.create_task(client.post(f"{SERVICE}{API}pools/pool-0/{action}"))
    waits = await asyncio.gather(*(_until_free(panel, free, began) for panel in panels))
    (await sent).raise_for_status()
    return waits


async def _until_free(panel: ClientConnection, free: int, began: float) -> float:
    while json.loads(await panel.recv())["pools"][0]["free"] != free:
        pass
    return (time.perf_counter() - began) * 1e3


async def _cpu_while(process: psutil.Process, waiting: Any) -> float:
    before = sum(process.cpu_times()[:2])
    await waiting
    return float(sum(process.cpu_times()[:2]) - before)


def _service() -> psutil.Process:
    ours = psutil.Process(os.getpid()).children(recursive=True)
    [service] = [each for each in ours if "vmpool_ext.hub_service" in each.cmdline()]
    return service
