"""Starts over HTTP, beside the least that the same server answers: a whole Jupyter Server, and connections kept open.

A server of one machine serves one user, so each start is of another of a hundred pools.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.fields import SqliteField, a_directory, pool_name
from benchmarks.report import Table
from benchmarks.served import MEMORY, SQLITE, Client, a_server
from benchmarks.starts import AT_ONCE, SIZES, STARTS
from benchmarks.timing import Taken, take

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from benchmarks.served import Server

    Pairs = list[tuple[Taken, Taken]]

POOLS = 100
ROUNDS = 7


def tables() -> Iterable[Table]:
    """Measure in both stores."""
    rows = []
    for store in ("memory", "SQLite"):
        with ExitStack() as stack:
            servers = [_server(stack, store, vms) for vms in SIZES]
            measured = asyncio.run(_measure(servers))
        rows += [_row(store, *of, pairs) for of, pairs in measured.items()]
    header = ("store", "VMs", "at once", "starts/s", "`GET me`/s", "of that rate", "latency p50 ms")
    yield Table("api", header, rows)


def _server(stack: ExitStack, store: str, vms: int) -> Server:
    if store == "memory":
        return stack.enter_context(a_server("jupyter_server", MEMORY, vms=vms, pools=POOLS))
    directory = stack.enter_context(a_directory())
    SqliteField(vms, POOLS).fill(directory)
    place = f"--QemuBackend.state_dir={directory}"
    return stack.enter_context(a_server("jupyter_server", SQLITE, place, vms=vms, pools=POOLS))


def _row(store: str, vms: int, at_once: int, pairs: Pairs) -> tuple[str, ...]:
    start, least = (median(each.wall for each in column) for column in zip(*pairs, strict=True))
    ratio = median(least.wall / start.wall for start, least in pairs)
    latency = median(start.latency for start, _ in pairs)
    return (
        store, f"{vms:,}", str(at_once), f"{1 / start:,.0f}", f"{1 / least:,.0f}", f"{ratio:.2f}", f"{latency * 1e3:.1f}",
    )  # fmt: skip


async def _measure(servers: list[Server]) -> dict[tuple[int, int], Pairs]:
    clients = [[await Client.connected(server) for _ in range(max(AT_ONCE))] for server in servers]
    pairs: dict[tuple[int, int], Pairs] = {(size, at_once): [] for size in SIZES for at_once in AT_ONCE}
    for _ in range(ROUNDS):
        for at_once in AT_ONCE:
            for size, ours in zip(SIZES, clients, strict=True):
                pairs[size, at_once].append(await _pair(ours[:at_once]))
    for each in (client for ours in clients for client in ours):
        each.close()
    return pairs


async def _pair(clients: list[Client]) -> tuple[Taken, Taken]:
    starts = await _take(clients, [("POST", f"pools/{pool_name(number)}/start") for number in range(STARTS)])
    least = await _take(clients, [("GET", "me")] * STARTS)
    await _take(clients, [("POST", f"pools/{pool_name(number)}/release") for number in range(STARTS)])
    return starts, least


async def _take(clients: list[Client], requests: list[tuple[str, str]]) -> Taken:
    """Send each request by a connection that is free: there are as many as requests under way."""
    free = list(clients)

    async def send(method: str, path: str) -> None:
        client = free.pop()
        await client.ask(method, path)
        free.append(client)

    jobs: list[Callable[[], Awaitable[None]]] = [partial(send, *request) for request in requests]
    return await take(jobs, len(clients))
