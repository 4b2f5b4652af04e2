"""What a change in the cluster costs a broker, and how soon it shows."""

from __future__ import annotations

import asyncio
import re
import time
from collections import defaultdict
from contextlib import asynccontextmanager
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.cluster import member, reader
from benchmarks.cluster.bare import a_session, ends_the_list, lines
from benchmarks.cluster.member import FIRST
from benchmarks.cluster.place import AT_ONCE
from benchmarks.cluster.process import a_process
from benchmarks.fields import a_user
from benchmarks.report import Table, holds
from benchmarks.timing import take

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from benchmarks.cluster.bare import Bare
    from benchmarks.cluster.effort import Effort
    from benchmarks.cluster.place import Field
    from benchmarks.cluster.process import Told
    from benchmarks.cluster.stage import Stage
    from vmpool_ext.broker.broker import PoolBroker

MOST = 100.0
_RUNS = re.compile(rb'"pretty-name":"([^"]*)"')
BETWEEN = 0.05
"""Seconds: each change meets a broker that is at rest."""


async def events(field: Field, bare: Bare, effort: Effort) -> Table:
    """Write as fast as the API server takes it, with a broker that is told of all, and with a reader that only counts."""
    places = {
        "taken in, and looked at by the keeper": (member.__name__, field.plane.kubeconfig(), field.name, FIRST),
        "read as lines only": (reader.__name__, *reader.place(field.plane, field.name)),
    }
    rows = []
    for words, place in places.items():
        async with a_process(*place) as (told, _):
            rows.append((words, *await _followed(field, bare, told, effort.events)))
    header = (
        "events are",
        "in all",
        "events/s",
        "CPU ms an event",
        "the last one seen after, ms",
        "not told, writes/s",
    )
    return Table("cluster-events", header, rows)


async def _followed(field: Field, bare: Bare, told: Told, number: int) -> tuple[str, ...]:
    """Tell how fast events came, and what each cost, beside writes of which nobody is told."""
    jobs = [partial(field.touch, each % field.vms, f"Debian {time.time_ns()}") for each in range(number)]
    unheard = await take([partial(bare.assign, each) for each in range(number // 3)], AT_ONCE)
    before, began = await told.ask("events"), time.perf_counter()
    await take(jobs, AT_ONCE)
    written = time.perf_counter()
    while (now := await told.ask("events"))["events"] < before["events"] + number:
        pass
    behind, cpu = time.perf_counter() - written, (now["cpu"] - before["cpu"]) / number
    rate = number / (written - began)
    return f"{number:,}", f"{rate:,.0f}", f"{cpu * 1e3:.3f}", f"{behind * 1e3:.0f}", f"{1 / unheard.wall:,.0f}"


async def shown(stage: Stage, effort: Effort) -> Table:
    """Change a VM that a user looks at, again and again; see when its picture changes, and when a bare watch tells of it."""
    await stage.start(0)
    number = int(next(iter(stage.given)).rpartition("-")[2])
    found: list[tuple[float, float, float]] = []
    async with _lines_of(stage) as lines_seen, _pictures(stage.broker) as pictures_seen:
        for each in range(effort.changes):
            await asyncio.sleep(BETWEEN)
            words, began = f"Debian {each}", time.perf_counter()
            await stage.of_broker.touch(number, words)
            answered = time.perf_counter()
            picture, line = await pictures_seen.when(words), await lines_seen.when(words)
            found.append((picture - began, line - began, answered - began))
    await stage.put_back()
    words_of = ("to the changed picture", "to the line of a bare watch", "to the answer to who wrote it")
    rows = [_row(words, [each[place] * 1e3 for each in found]) for place, words in enumerate(words_of)]
    header = ("from the sending of a change", "median, ms", "longest, ms", "changes", "target, ms", "holds")
    return Table("cluster-changes", header, rows)


def _row(words: str, found: list[float]) -> tuple[str, ...]:
    longest = max(found)
    return words, f"{median(found):.1f}", f"{longest:.1f}", str(len(found)), f"{MOST:.0f}", holds(longest, MOST)


class Sightings:
    """When something was seen first."""

    def __init__(self) -> None:
        self._seen: defaultdict[str, asyncio.Future[float]] = defaultdict(asyncio.Future)

    def note(self, what: str) -> None:
        """It is seen now."""
        if not self._seen[what].done():
            self._seen[what].set_result(time.perf_counter())

    async def when(self, what: str) -> float:
        """Wait until it has been seen."""
        return await self._seen[what]


@asynccontextmanager
async def _pictures(broker: PoolBroker) -> AsyncIterator[Sightings]:
    """Look on as the user; note what the VM is shown to run."""
    seen = Sightings()

    async def look() -> None:
        async for picture in broker.watch(a_user(0)):
            for pool in picture.pools:
                if pool.vm and pool.vm.os:
                    seen.note(pool.vm.os)

    looking = asyncio.create_task(look())
    yield seen
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)


@asynccontextmanager
async def _lines_of(stage: Stage) -> AsyncIterator[Sightings]:
    """Read a watch of one's own; note what VMs are told to run."""
    seen, listed = Sightings(), asyncio.Event()

    async def read() -> None:
        async with a_session(*stage.plane.access) as session:
            async for line in lines(session, stage.of_broker.name):
                if ends_the_list(line):
                    listed.set()
                elif found := _RUNS.search(line):
                    seen.note(found[1].decode())

    reading = asyncio.create_task(read())
    await listed.wait()
    yield seen
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
