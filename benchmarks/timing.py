"""How time is taken: jobs by so many workers, CPU of the whole process beside the clock on the wall."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

SETTLING = 20
"""Turns of the loop in which what follows from a job is done too, by whoever does it: a part of its cost."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What one job took, in seconds: CPU and wall on the average of all, and the middle one of their latencies."""

    cpu: float
    wall: float
    latency: float


async def take(jobs: Iterable[Callable[[], Awaitable[object]]], at_once: int) -> Taken:
    """Do the jobs with so many of them under way, until nothing is left to do."""
    todo, latencies = iter(jobs), list[float]()

    async def work() -> None:
        for job in todo:
            began = time.perf_counter()
            await job()
            latencies.append(time.perf_counter() - began)

    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(work() for _ in range(at_once)))
    wall = time.perf_counter() - wall
    await settle()
    number = len(latencies)
    return Taken((time.process_time() - cpu) / number, wall / number, median(latencies))


async def settle() -> None:
    """Let go on what has been set off."""
    for _ in range(SETTLING):
        await asyncio.sleep(0)
