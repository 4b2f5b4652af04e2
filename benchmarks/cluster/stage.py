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

from benchmarks.cluster.bare import a_bare_client
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
    """The broker's and, at nearly the same time, the bare one."""

    ours: Cost
    bare: Cost


@dataclass(slots=True)
class Stage:
    """A broker with VMs, and a bare client with others, of which the broker is not told."""

    plane: OnDisk
    of_broker: Field
    broker: PoolBroker
    bare: Bare
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

    async def pair(self, bare_job: Job, writes: int, at_once: int) -> Pair:
        """Measure both, the other one first each time: so a machine that becomes slower slows down neither more."""
        self.turn += 1
        both = {"ours": self.start, "bare": bare_job}
        names = sorted(both, reverse=bool(self.turn % 2))
        cost = {name: await measured(self.plane, both[name], writes, at_once) for name in names}
        await self.put_back()
        return Pair(cost["ours"], cost["bare"])


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


@asynccontextmanager
async def a_stage(plane: OnDisk, name: str, vms: int, *, running: bool = True) -> AsyncIterator[Stage]:
    """Set everything up."""
    async with (
        a_field(plane, name, vms, running=running) as of_broker,
        a_bare_client(plane, f"{name}-bare", running=running) as bare,
        a_broker(plane, of_broker.name) as broker,
    ):
        with nothing_to_collect():
            yield Stage(plane, of_broker, broker, bare)


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
