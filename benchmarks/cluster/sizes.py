"""As the number of VMs grows: a start, taking everything in, every change; and at the largest number all that depends on it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.cluster import arrivals, changes, member, reader
from benchmarks.cluster.bare import a_bare_client
from benchmarks.cluster.member import FIRST
from benchmarks.cluster.place import a_field
from benchmarks.cluster.process import a_process
from benchmarks.cluster.stage import Stage, a_broker, nothing_to_collect
from benchmarks.report import Table, holds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from benchmarks.cluster.bare import Bare
    from benchmarks.cluster.effort import Effort
    from benchmarks.cluster.place import Field, OnDisk
    from benchmarks.cluster.stage import Pair

MOST_GROWTH = 1.2
MOST_MEGABYTES = 150
FEW = 40
"""Starts of a round: the smallest size has not many more VMs."""


@dataclass(frozen=True, slots=True)
class Intake:
    """What it took until a broker had its picture, and what a bare reader took for the same bytes."""

    seconds: float
    cpu: float
    server: float
    added: float = 0
    most: float = 0


def tables(plane: OnDisk, effort: Effort) -> Iterable[Table]:
    """Measure at every size, and the rest at the last."""
    return asyncio.run(_measure(plane, effort))


async def _measure(plane: OnDisk, effort: Effort) -> list[Table]:
    pairs: dict[int, list[Pair]] = {}
    intake: list[tuple[str, ...]] = []
    async with (
        a_field(plane, "none", 0) as empty,
        a_field(plane, "many", 0) as field,
        a_bare_client(plane, "many-bare") as bare,
    ):
        base = await _intake(empty)
        for size in effort.sizes:
            await field.grow(size)
            pairs[size] = await _starts(field, bare, effort)
            intake.append(await _intake_row(field, base, effort.repeats))
        rest = [table async for table in _at_the_largest(field, bare, effort)]
    return [_growth(pairs), _intake_table(intake), *rest]


async def _at_the_largest(field: Field, bare: Bare, effort: Effort) -> AsyncIterator[Table]:
    yield await changes.events(field, bare, effort)
    async with a_broker(field.plane, field.name) as broker:
        stage = Stage(field.plane, field, broker, bare)
        yield await changes.shown(stage, effort)
        with nothing_to_collect():
            for table in await arrivals.tables(stage, effort):
                yield table


# A start.


async def _starts(field: Field, bare: Bare, effort: Effort) -> list[Pair]:
    async with a_broker(field.plane, field.name) as broker:
        stage = Stage(field.plane, field, broker, bare)
        with nothing_to_collect():
            await stage.pair("assign", 1, 1)
            return [await stage.pair("assign", min(effort.writes[1], FEW), 1) for _ in range(effort.rounds)]


def _growth(pairs: dict[int, list[Pair]]) -> Table:
    rows, least = [], 0.0
    for size, of_size in pairs.items():
        ours, bare = (median(each) for each in zip(*map(_latencies, of_size), strict=True))
        multiple = median(ours / bare for ours, bare in map(_latencies, of_size))
        least = least or multiple
        growth = multiple / least
        figures = (f"{ours * 1e3:.1f}", f"{bare * 1e3:.1f}", f"{multiple:.2f}", f"{growth:.2f}")
        rows.append((f"{size:,}", *figures, holds(growth, MOST_GROWTH)))
    header = ("VMs", "start p50 ms", "bare p50 ms", "multiple", "of that at the least", "within 1.2")
    return Table("cluster-growth", header, rows)


def _latencies(pair: Pair) -> tuple[float, float]:
    return pair.ours.taken.latency, pair.bare.taken.latency


# Taking everything in.


def _intake_table(rows: list[tuple[str, ...]]) -> Table:
    header = (
        "VMs", "KB each", "until the first picture, s", "bytes alone, s", "CPU s", "bytes alone, CPU s", "API server, CPU s",
        "added, MB", "added at most, MB", "under 150 MB",
    )  # fmt: skip
    return Table("cluster-taking-in", header, rows)


async def _intake_row(field: Field, base: Intake, repeats: int) -> tuple[str, ...]:
    ours, bare = [], []
    for _ in range(repeats):
        bare.append(await _bare_intake(field))
        ours.append(await _intake(field))
    added, most = (median(each) for each in zip(*((each.added, each.most) for each in ours), strict=True))
    return (
        f"{field.vms:,}", f"{await field.kilobytes_each():.1f}",
        *(f"{median(getattr(each, what) for each in column):.2f}" for what in ("seconds", "cpu") for column in (ours, bare)),
        f"{median(each.server for each in ours):.2f}", f"{added - base.added:.0f}", f"{most - base.most:.0f}",
        holds(most - base.most, MOST_MEGABYTES),
    )  # fmt: skip


async def _intake(field: Field) -> Intake:
    """Have a new process take everything in."""
    before = field.plane.api_server_time()
    async with a_process(member.__name__, field.plane.kubeconfig(), field.name, FIRST) as (_, ready):
        server = field.plane.api_server_time() - before
        memory = ready["memory"]
        return Intake(ready["seconds"], ready["cpu"], server, memory["now"] / 1024, memory["most"] / 1024)


async def _bare_intake(field: Field) -> Intake:
    before = field.plane.api_server_time()
    async with a_process(reader.__name__, *reader.place(field.plane, field.name)) as (_, ready):
        return Intake(ready["seconds"], ready["cpu"], field.plane.api_server_time() - before)
