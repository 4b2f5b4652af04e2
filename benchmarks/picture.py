"""What it takes to hold the picture: to take it in, to keep it current, and the memory it fills."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.fields import CLOCK, MemoryField, SqliteField, a_directory, a_user, following, pool_name, vm_name
from benchmarks.report import Table, holds
from benchmarks.timing import settle
from vmpool_ext.broker.following import Following
from vmpool_ext.broker.inventory import Inventory
from vmpool_ext.web.json import to_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from contextlib import AbstractAsyncContextManager

    from vmpool_ext.backends.memory import MemoryBackend
    from vmpool_ext.broker.broker import PoolBroker
    from vmpool_ext.broker.ports import Backend

    Follow = Callable[[Backend], AbstractAsyncContextManager[object]]
    Change = Callable[[MemoryBackend, int], None]

SIZES = (100, 1_000, 10_000)
CHANGES = 3000
NAP = 0.001
MOST = 150
MOST_GROWTH = 1.2


def tables() -> Iterable[Table]:
    """Measure the whole, one change, and memory."""
    yield _whole()
    yield asyncio.run(_changes())
    yield _memory()


# The whole.


def _whole() -> Table:
    rows = []
    for kind in (MemoryField, SqliteField):
        for size in SIZES:
            field = kind(size)
            seconds, longest = zip(*(asyncio.run(_taking_in(field)) for _ in range(3)), strict=True)
            rows.append((field.store, f"{size:,}", f"{median(seconds):.2f}", f"{median(longest) * 1e3:.0f}"))
    return Table("taking-in", ("store", "VMs", "until the first picture, s", "of it at one stretch, ms"), rows)


async def _taking_in(field: MemoryField | SqliteField) -> tuple[float, float]:
    """Tell how long it takes until a user sees their pools, and for how long nothing else came about meanwhile."""
    async with field.backend() as backend:
        gc.collect()
        stretches = asyncio.create_task(_longest_stretch())
        await asyncio.sleep(0)
        began = time.perf_counter()
        async with following(backend):
            took = time.perf_counter() - began
        stretches.cancel()
        return took, await stretches


async def _longest_stretch() -> float:
    """Look at the time again and again, until cancelled."""
    longest, last = 0.0, time.perf_counter()
    try:
        while True:
            await asyncio.sleep(NAP)
            now = time.perf_counter()
            longest, last = max(longest, now - last - NAP), now
    except asyncio.CancelledError:
        return max(longest, time.perf_counter() - last - NAP)


# One change.


async def _changes() -> Table:
    """Measure the same change in a small field and in a large one by turns."""
    rows = []
    for words, pools, follow, change in (
        ("VM: taken in", 1, _picture_only, _change_vm),
        ("VM: taken in, and looked at by the keeper", 1, following, _change_vm),
        ("VM: the same, and shown in an open panel", 1, _with_panel, _change_vm),
        ("pool that has 100 VMs: taken in, and all of them looked at", 100, following, _change_pool),
    ):
        few, many = await _added(pools, follow, change)
        ratio = many / few
        rows.append((words, f"{few * 1e3:.3f}", f"{many * 1e3:.3f}", f"{ratio:.2f}", holds(ratio, MOST_GROWTH)))
    header = ("change of a", "CPU ms, 100 VMs", "10,000 VMs", "ratio", "within 1.2")
    return Table("changes", header, rows)


async def _added(pools: int, follow: Follow, change: Change) -> list[float]:
    """Tell for both sizes what a change costs above that of which nobody is told."""
    async with AsyncExitStack() as stack:
        fields = [MemoryField(SIZES[0]), MemoryField(SIZES[-1], pools)]
        seen = [await stack.enter_async_context(field.backend()) for field in fields]
        unseen = [await stack.enter_async_context(field.backend()) for field in fields]
        for backend in seen:
            await stack.enter_async_context(follow(backend))
        gc.collect()
        gc.freeze()
        costs = await _costs([*seen, *unseen], change)
        gc.unfreeze()
        return [with_all - alone for with_all, alone in zip(costs[:2], costs[2:], strict=True)]


async def _costs(backends: list[MemoryBackend], change: Change) -> list[float]:
    """Change each by turns; of some thousand changes the middle one is steady where their sum is not."""
    costs: list[list[float]] = [[] for _ in backends]
    for number in range(CHANGES):
        for backend, of_each in zip(backends, costs, strict=True):
            began = time.process_time()
            change(backend, number)
            await settle()
            of_each.append(time.process_time() - began)
    return [median(each) for each in costs]


def _change_vm(backend: MemoryBackend, number: int) -> None:
    vm = backend.vm(vm_name(number % SIZES[0]))
    backend.put_vm(replace(vm, os=f"Linux {CLOCK.now()}"))


def _change_pool(backend: MemoryBackend, number: int) -> None:
    backend.put_pool(replace(MemoryField(0).pools[0], retention_text=f"PT{number}m"))


@asynccontextmanager
async def _picture_only(backend: Backend) -> AsyncIterator[None]:
    inventory = Inventory(CLOCK)
    running = asyncio.create_task(Following(backend, inventory, CLOCK).run())
    await inventory.first(lambda: inventory.drawn)
    inventory.free(pool_name(0))
    yield
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@asynccontextmanager
async def _with_panel(backend: Backend) -> AsyncIterator[None]:
    async with following(backend) as broker:
        showing = asyncio.create_task(_show(broker))
        await settle()
        yield
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)


async def _show(broker: PoolBroker) -> None:
    async for picture in broker.watch(a_user(0)):
        json.dumps(to_json(picture))


# The memory.


def _memory() -> Table:
    rows = []
    base = _footprint(0)
    for size in SIZES:
        with_them = _footprint(size)
        added, most = ((with_them[key] - base[key]) / 1024 for key in ("now", "most"))
        rows.append((f"{size:,}", f"{base['now'] / 1024:.0f}", f"{added:.0f}", f"{most:.0f}", holds(most, MOST)))
    header = ("VMs", "without any, MB", "added, MB", "added at most, while reading, MB", "under 150 MB")
    return Table("memory", header, rows)


def _footprint(size: int) -> dict[str, int]:
    """Ask a process of its own that has the picture from SQLite."""
    with a_directory() as directory:
        SqliteField(size).fill(directory)
        command = [sys.executable, "-m", "benchmarks.footprint", str(directory)]
        said: dict[str, int] = json.loads(subprocess.check_output(command))  # noqa: S603  # our own command
        return said
