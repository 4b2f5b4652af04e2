"""A broker and, beside it, bare writes to the same API server by turns; what both take of whom."""

from __future__ import annotations

import gc
import logging
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

from traitlets.config import Config, Configurable

from benchmarks.cluster.bare import a_bare_client, being_told
from benchmarks.cluster.place import POOL, a_field
from benchmarks.fields import CLOCK, a_user, following
from benchmarks.timing import Taken, take
from vmpool_ext.backends.kubernetes.backend import KubernetesBackend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from benchmarks.cluster.bare import Bare
    from benchmarks.cluster.place import Field, OnDisk
    from vmpool_ext.broker.broker import PoolBroker

    Job = Callable[[int], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Cost:
    """What one operation took on the average, in seconds; of the latencies the middle one."""

    taken: Taken
    server: float
    """CPU of the API server."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The broker's and, at nearly the same time, the bare one; and one that a watch tells of what it writes."""

    ours: Cost
    bare: Cost
    told: Cost | None = None


@dataclass(slots=True)
class Stage:
    """A broker with VMs, and a bare client with others, of which the broker is not told."""

    plane: OnDisk
    of_broker: Field
    broker: PoolBroker
    bare: Bare
    told: Bare | None = None
    given: set[str] = field(default_factory=set)
    turn: int = 0

    async def start(self, number: int) -> None:
        """Have the broker start a VM for a user who has none."""
        started = await self.broker.start(a_user(number), POOL)
        if started.pool.vm:
            self.given.add(started.pool.vm.name)

    async def put_back(self) -> None:
        """Take all VMs away again, and wait until the broker knows."""
        given, self.given = self.given, set()
        await self.of_broker.put_back(given)
        await until_free(self.broker, self.of_broker.vms)

    async def pair(self, what: str, writes: int, at_once: int) -> Pair:
        """Measure each, in the other order each time: so a machine that becomes slower slows down none more."""
        self.turn += 1
        jobs: dict[str, Job] = {"ours": self.start, "bare": getattr(self.bare, what)}
        if self.told:
            jobs["told"] = getattr(self.told, what)
        names = sorted(jobs, reverse=bool(self.turn % 2))
        cost = {name: await measured(self.plane, jobs[name], writes, at_once) for name in names}
        await self.put_back()
        return Pair(**cost)


async def until_free(broker: PoolBroker, number: int) -> None:
    """Wait until the broker knows that so many VMs are free."""
    async for picture in broker.watch(a_user(0)):
        if picture.pools[0].free >= number:
            return


async def measured(plane: OnDisk, job: Job, writes: int, at_once: int) -> Cost:
    """Do the job so often, with so many under way."""
    server = plane.api_server_time()
    taken = await take([partial(job, number) for number in range(writes)], at_once)
    return Cost(taken, (plane.api_server_time() - server) / writes)


def middle(costs: list[Cost], what: Callable[[Cost], float]) -> float:
    """Give the middle of all rounds."""
    return median(map(what, costs))


def rate_ratio(pairs: list[Pair]) -> float:
    """Tell which part of the bare rate the broker reaches, round by round."""
    return median(pair.bare.taken.wall / pair.ours.taken.wall for pair in pairs)


def told_ratio(pairs: list[Pair]) -> float:
    """Tell which part of the bare rate is left to who is told of what they write, round by round."""
    return median(pair.bare.taken.wall / pair.told.taken.wall for pair in pairs if pair.told)


@asynccontextmanager
async def a_stage(plane: OnDisk, name: str, vms: int, *, running: bool = True) -> AsyncIterator[Stage]:
    """Set everything up."""
    async with (
        a_field(plane, name, vms, running=running) as of_broker,
        a_bare_client(plane, f"{name}-bare", running=running) as bare,
        a_bare_client(plane, f"{name}-told", running=running) as told,
        being_told(plane, f"{name}-told"),
        a_broker(plane, of_broker.name) as broker,
    ):
        with nothing_to_collect():
            yield Stage(plane, of_broker, broker, bare, told)


@asynccontextmanager
async def a_broker(plane: OnDisk, namespace: str) -> AsyncIterator[PoolBroker]:
    """Give a broker that has its picture of the namespace."""
    backend = backend_of(KubernetesBackend, plane.kubeconfig(), namespace)
    await backend.start()
    async with following(backend) as broker:
        yield broker
    await backend.stop()


def backend_of(kind: type[KubernetesBackend], kubeconfig: str, namespace: str) -> Any:
    """Make a backend as the options of a server would; that VMs are taken away by others is what happens here."""
    logging.getLogger("vmpool_ext").setLevel(logging.ERROR)
    options = Config(KubernetesBackend={"kubeconfig": kubeconfig, "namespace": namespace})
    return kind(CLOCK, Configurable(config=options))


@contextmanager
def nothing_to_collect() -> Iterator[None]:
    """What is there already is not to be searched for garbage in the time of what is measured."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
