"""What the broker adds to the store's own conditional write: CPU, rate, and latency as the number of VMs grows.

Every round has a start of each field beside the bare write of the same store, one after the other, so that what else the
machine does meets both.
"""

from __future__ import annotations

import asyncio
import gc
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.fields import MemoryField, SqliteField, a_user, following, pool_name
from benchmarks.report import Table, holds
from benchmarks.timing import Taken, settle, take

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.fields import BareStore, Field
    from vmpool_ext.broker.broker import PoolBroker

SIZES = (100, 1_000, 10_000)
AT_ONCE = (1, 16, 64)
STARTS = 64
ROUNDS = 15
MOST_ADDED = 1e-3
MOST_GROWTH = 1.2
POOL = pool_name(0)


@dataclass(frozen=True, slots=True)
class Round:
    """A start, and beside it the bare write of the same store."""

    start: Taken
    bare: Taken


Rounds = dict[tuple[int, int], list[Round]]
"""By number of VMs and of starts at once."""


def tables() -> Iterable[Table]:
    """Measure in both stores."""
    found = {kind.store: asyncio.run(_measure([kind(size) for size in SIZES])) for kind in (MemoryField, SqliteField)}
    yield Table(
        "starts",
        ("store", "VMs", "at once", "start, CPU ms", "bare write, CPU ms", "added CPU ms", "under 1 ms",
         "starts/s", "of the bare writes/s", "latency p50 ms"),
        [_row(store, *of, rounds) for store, measured in found.items() for of, rounds in measured.items()],
    )  # fmt: skip
    yield Table(
        "growth",
        ("store", "latency at 100, ms", "at 10,000, ms", "ratio", "within 1.2"),
        [_growth(store, measured) for store, measured in found.items()],
    )


def _row(store: str, vms: int, at_once: int, rounds: list[Round]) -> tuple[str, ...]:
    start, bare = (median(cpus) for cpus in zip(*((each.start.cpu, each.bare.cpu) for each in rounds), strict=True))
    added = median(each.start.cpu - each.bare.cpu for each in rounds)
    wall = median(each.start.wall for each in rounds)
    ratio = median(each.bare.wall / each.start.wall for each in rounds)
    latency = median(each.start.latency for each in rounds)
    return (
        store, f"{vms:,}", str(at_once), f"{start * 1e3:.2f}", f"{bare * 1e3:.2f}", f"{added * 1e3:.2f}",
        holds(added, MOST_ADDED), f"{1 / wall:,.0f}", f"{ratio:.2f}", f"{latency * 1e3:.2f}",
    )  # fmt: skip


def _growth(store: str, measured: Rounds) -> tuple[str, ...]:
    """Compare one at a time, round by round: those were measured one after the other."""
    few, many = ([each.start.latency for each in measured[size, 1]] for size in (SIZES[0], SIZES[-1]))
    ratio = median(of_many / of_few for of_few, of_many in zip(few, many, strict=True))
    return store, f"{median(few) * 1e3:.2f}", f"{median(many) * 1e3:.2f}", f"{ratio:.2f}", holds(ratio, MOST_GROWTH)


async def _measure(fields: list[Field]) -> Rounds:
    async with AsyncExitStack() as stack:
        brokers = [await _broker(stack, field) for field in fields]
        bare = [await stack.enter_async_context(field.bare()) for field in fields]
        # What the other fields hold is not to be searched for garbage in this one's time.
        gc.collect()
        gc.freeze()
        rounds: Rounds = {(size, at_once): [] for size in SIZES for at_once in AT_ONCE}
        for _ in range(ROUNDS):
            for at_once in AT_ONCE:
                for size, broker, store in zip(SIZES, brokers, bare, strict=True):
                    rounds[size, at_once].append(await _round(broker, store, at_once))
        gc.unfreeze()
        return rounds


async def _broker(stack: AsyncExitStack, field: Field) -> PoolBroker:
    backend = await stack.enter_async_context(field.backend())
    return await stack.enter_async_context(following(backend))


async def _round(broker: PoolBroker, bare: BareStore, at_once: int) -> Round:
    users = [a_user(number) for number in range(STARTS)]
    start = await take([partial(broker.start, user, POOL) for user in users], at_once)
    write = await take([partial(bare.assign, number) for number in range(STARTS)], at_once)
    for number, user in enumerate(users):
        await broker.release(user, POOL)
        await bare.release(number)
    await settle()
    return Round(start, write)
