"""From Start to assigned, as users come: spread over a minute, all at once, at random, and one after the other by many clients.

Who comes at a moment of their own waits from that moment, whatever is still under way. Beside it stand bare writes that come
by the same measure.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from functools import partial
from statistics import median, quantiles
from typing import TYPE_CHECKING

from benchmarks.report import Table, holds
from benchmarks.timing import take

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.cluster.effort import Effort
    from benchmarks.cluster.stage import Job, Stage

MOST_P50 = 50.0
MOST_P99 = 500.0
MOST_AT_ONCE = 1.15
MOST_OF_CLIENTS = 1 / 0.9
CONNECTIONS = (16, 64)
"""By how many the bare writes of a burst are made: the faster is the limit."""


@dataclass(frozen=True, slots=True)
class Waits:
    """How long each waited, in seconds."""

    latencies: list[float]

    def percentile(self, number: int) -> float:
        """Give it in milliseconds."""
        return quantiles(self.latencies, n=100)[number - 1] * 1e3


@dataclass(slots=True)
class Users:
    """Numbers of users who have not come yet."""

    next: int = 0

    def come(self, number: int) -> range:
        """Give so many."""
        self.next += number
        return range(self.next - number, self.next)


async def tables(stage: Stage, effort: Effort) -> list[Table]:
    """Measure all; but for those who come at once, several times, everybody keeps their VM."""
    burst = await _burst(stage, effort)
    users = Users()
    spread = await _in_their_own_time(stage, effort, users, effort.burst / effort.period)
    random_ones = await _in_their_own_time(stage, effort, users, effort.per_second)
    clients = await _clients(stage, effort, users)
    at_random = f"at random, {effort.per_second:.0f} a second, {effort.period:.0f} s"
    return [
        Table(
            "cluster-arrivals",
            ("starts", "in all", "p50 ms", "p99 ms", "under 50, 500", "bare p50 ms", "bare p99 ms", "p50 over bare"),
            [_row(f"spread over {effort.period:.0f} s", *spread), _row(at_random, *random_ones)],
        ),
        Table("cluster-at-once", ("starts", "in all", "s", "bare, s", "ratio", "target", "holds"), [burst, clients]),
    ]


def _row(words: str, ours: Waits, bare: Waits) -> tuple[str, ...]:
    p50, p99, bare_p50, bare_p99 = (each.percentile(number) for each in (ours, bare) for number in (50, 99))
    good = "yes" if p50 < MOST_P50 and p99 < MOST_P99 else "**no**"
    return (
        words, f"{len(ours.latencies):,}", f"{p50:.1f}", f"{p99:.1f}", good, f"{bare_p50:.1f}", f"{bare_p99:.1f}",
        f"{p50 / bare_p50:.2f}",
    )  # fmt: skip


def _row_at_once(words: str, number: int, pairs: list[tuple[float, float]], most: float) -> tuple[str, ...]:
    ours, bare = (median(column) for column in zip(*pairs, strict=True))
    ratio = median(each / beside for each, beside in pairs)
    return words, f"{number:,}", f"{ours:.2f}", f"{bare:.2f}", f"{ratio:.2f}", f"{most:.2f}", holds(ratio, most)


async def _in_their_own_time(stage: Stage, effort: Effort, users: Users, per_second: float) -> tuple[Waits, Waits]:
    """Have users come at so many a second; before and after them bare writes."""
    shortly, long = _moments(per_second, effort.bare_period), _moments(per_second, effort.period)
    before = await _on_time(stage.bare.assign, shortly, range(len(shortly)))
    ours = await _on_time(stage.start, long, users.come(len(long)))
    after = await _on_time(stage.bare.assign, shortly, range(len(shortly)))
    return Waits(ours), Waits(before + after)


def _moments(per_second: float, seconds: float) -> list[float]:
    """Draw when somebody comes: a Poisson process of which it is known how many come in all; the same at every run."""
    drawn = random.Random(per_second)  # noqa: S311  # no secret
    return sorted(drawn.uniform(0, seconds) for _ in range(round(per_second * seconds)))


async def _on_time(job: Job, moments: list[float], numbers: Iterable[int]) -> list[float]:
    began, under_way = time.perf_counter(), []
    for moment, number in zip(moments, numbers, strict=True):
        await asyncio.sleep(max(0, began + moment - time.perf_counter()))
        under_way.append(asyncio.create_task(_waited(job, number, began + moment)))
    return await asyncio.gather(*under_way)


async def _waited(job: Job, number: int, since: float) -> float:
    await job(number)
    return time.perf_counter() - since


async def _burst(stage: Stage, effort: Effort) -> tuple[str, ...]:
    """Have all come at the same instant, and by turns make the same writes bare, by as many connections as is best for them."""
    numbers = range(effort.burst)
    ours, bare = list[float](), {each: list[float]() for each in CONNECTIONS}
    for _ in range(effort.bursts):
        for connections, taken in bare.items():
            taken.append(await _seconds(stage.bare.assign, numbers, connections))
        ours.append(await _seconds(stage.start, numbers, effort.burst))
        await stage.put_back()
    best = min(bare.values(), key=median)
    return _row_at_once("at the same instant", effort.burst, list(zip(ours, best, strict=True)), MOST_AT_ONCE)


async def _clients(stage: Stage, effort: Effort, users: Users) -> tuple[str, ...]:
    """Have each client start one VM after the other; before and after them half as many bare writes."""
    number = effort.clients * effort.per_client
    half = range(number // 2)
    before = await _seconds(stage.bare.assign, half, effort.clients)
    ours = await _seconds(stage.start, users.come(number), effort.clients)
    after = await _seconds(stage.bare.assign, half, effort.clients)
    words = f"{effort.clients} clients, {effort.per_client} each"
    return _row_at_once(words, number, [(ours, before + after)], MOST_OF_CLIENTS)


async def _seconds(job: Job, numbers: Iterable[int], at_once: int) -> float:
    began = time.perf_counter()
    await take([partial(job, number) for number in numbers], at_once)
    return time.perf_counter() - began
