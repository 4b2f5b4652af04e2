"""Starts on the reference backend: what the broker adds to one conditional write, by number of VMs and of users at once."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from vmpool_ext.backends.memory import MemoryBackend
from vmpool_ext.broker.broker import PoolBroker
from vmpool_ext.broker.clock import SystemClock
from vmpool_ext.domain.machine import Assignment, Condition, RequestedState, VirtualMachine
from vmpool_ext.domain.permission import EVERY_PERMISSION, Grant
from vmpool_ext.domain.pool import Pool
from vmpool_ext.domain.user import User

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

STARTS = 64
REPEATS = 5
POOL = Pool(name="pool", grants=(Grant(EVERY_PERMISSION, role="student"),))


def main() -> None:
    """Print added CPU per start and the rate as a part of the bare writes' rate; medians."""
    print(f"{'VMs':>7} {'at once':>8} {'us per start':>13} {'us per bare write':>18} {'added us':>9}")
    for vms in (100, 1_000, 10_000):
        for at_once in (1, 16, 64):
            runs = sorted(asyncio.run(_measure(vms, at_once)) for _ in range(REPEATS))
            start, bare = runs[REPEATS // 2]
            print(f"{vms:>7} {at_once:>8} {start * 1e6:>13.0f} {bare * 1e6:>18.0f} {(start - bare) * 1e6:>9.0f}")


async def _measure(number: int, at_once: int) -> tuple[float, float]:
    """Give CPU seconds per start and per bare write, of VMs that run already: one write each."""
    clock = SystemClock()
    up = Condition(status=True, since=clock.now(), reason="VmStarted")
    vms = [_vm(n, up) for n in range(number)]
    backend = MemoryBackend(clock, [POOL], vms)
    broker = PoolBroker(backend, clock)
    following = asyncio.create_task(broker.run())
    await broker.drawn()
    # The picture is drawn to the end when somebody first looks at it: not a part of any start.
    broker.overview(User("user0", frozenset({"student"})))
    starts = await _cpu(at_once, lambda n: broker.start(User(f"user{n}", frozenset({"student"})), POOL.name))
    following.cancel()

    bare = MemoryBackend(clock, [POOL], vms)
    writes = await _cpu(
        at_once, lambda n: bare.assign(bare.vm(f"vm{n}"), Assignment(POOL.name, f"user{n}", clock.now()))
    )
    return starts, writes


def _vm(number: int, up: Condition) -> VirtualMachine:
    return VirtualMachine(
        name=f"vm{number}", pools=frozenset({POOL.name}), requested=RequestedState.RUNNING, running=up, booted=up
    )


async def _cpu(at_once: int, act: Callable[[int], Awaitable[object]]) -> float:
    began = time.process_time()
    for first in range(0, STARTS, at_once):
        await asyncio.gather(*(act(n) for n in range(first, first + at_once)))
    return (time.process_time() - began) / STARTS
