"""Starts of VMs that run, and of VMs that are off, as a part of what the same API server takes in bare writes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from benchmarks.cluster.stage import Cost, Pair, a_stage, middle, rate_ratio, told_ratio
from benchmarks.report import Table, holds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from benchmarks.cluster.effort import Effort
    from benchmarks.cluster.place import OnDisk

LEAST = 0.9
VMS = 1_100
OFF_AT_ONCE = (1, 16)

Rounds = dict[int, list[Pair]]
"""By how many are under way at once."""


def tables(plane: OnDisk, effort: Effort) -> Iterable[Table]:
    """Measure both kinds of VMs."""
    on = asyncio.run(_measure(plane, effort, tuple(effort.writes), running=True))
    off = asyncio.run(_measure(plane, effort, OFF_AT_ONCE, running=False))
    found = [("runs", on), ("is off", off)]
    yield Table(
        "cluster-starts",
        (
            "the VM",
            "at once",
            "starts/s",
            "bare/s",
            "of the bare rate",
            "at least 0.9",
            "bare and told of it",
            "latency p50 ms",
            "bare, ms",
        ),
        [_rate_row(words, *each) for words, rounds in found for each in rounds.items()],
    )
    yield Table(
        "cluster-cpu",
        ("the VM", "at once", "API server, CPU ms a start", "bare", "ratio", "ours, CPU ms a start", "bare"),
        [_cpu_row(words, *each) for words, rounds in found for each in rounds.items()],
    )


async def _measure(plane: OnDisk, effort: Effort, at_once: tuple[int, ...], *, running: bool) -> Rounds:
    name = "starts-on" if running else "starts-off"
    async with a_stage(plane, name, VMS, running=running) as stage:
        what = "assign" if running else "start"
        rounds: Rounds = {each: [] for each in at_once}
        for each in at_once:
            # Opens the connections, which are then kept.
            await stage.pair(what, each, each)
        for number in range(max(map(effort.rounds_at, at_once))):
            for each in at_once:
                if number < effort.rounds_at(each):
                    rounds[each].append(await stage.pair(what, effort.writes[each], each))
        return rounds


def _rate_row(words: str, at_once: int, pairs: list[Pair]) -> tuple[str, ...]:
    wall, bare_wall = _both(pairs, lambda cost: cost.taken.wall)
    latency, bare_latency = _both(pairs, lambda cost: cost.taken.latency)
    ratio = rate_ratio(pairs)
    return (
        words, str(at_once), f"{1 / wall:,.0f}", f"{1 / bare_wall:,.0f}", f"{ratio:.2f}", holds(LEAST, ratio),
        f"{told_ratio(pairs):.2f}",
        f"{latency * 1e3:.1f}", f"{bare_latency * 1e3:.1f}",
    )  # fmt: skip


def _cpu_row(words: str, at_once: int, pairs: list[Pair]) -> tuple[str, ...]:
    server, bare_server = _both(pairs, lambda cost: cost.server)
    ours, bare = _both(pairs, lambda cost: cost.taken.cpu)
    ratio = server / bare_server if bare_server else float("nan")
    figures = (server, bare_server, ratio / 1e3, ours, bare)
    return (words, str(at_once), *(f"{each * 1e3:.2f}" for each in figures))


def _both(pairs: list[Pair], what: Callable[[Cost], float]) -> tuple[float, float]:
    return middle([pair.ours for pair in pairs], what), middle([pair.bare for pair in pairs], what)
