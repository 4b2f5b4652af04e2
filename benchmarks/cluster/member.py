"""A broker in a process of its own: ``python -m benchmarks.cluster.member KUBECONFIG NAMESPACE CHOICE``."""

from __future__ import annotations

import asyncio
import gc
import secrets
import sys
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from benchmarks.cluster.place import POOL
from benchmarks.cluster.process import Stopwatch, kilobytes, obey
from benchmarks.cluster.stage import backend_of, until_free
from benchmarks.fields import a_user, following
from vmpool_ext.backends.kubernetes.backend import KubernetesBackend
from vmpool_ext.domain.assignment import scattered, warm_first
from vmpool_ext.domain.errors import Contention

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from vmpool_ext.broker.broker import PoolBroker
    from vmpool_ext.broker.ports import Event

FIRST, RANDOM = "first", "random"


class Counting(KubernetesBackend):
    """Counts what it tells of."""

    events = 0

    async def watch(self) -> AsyncGenerator[Event, None]:
        """Tell as ever."""
        async with aclosing(super().watch()) as events:
            async for event in events:
                self.events += 1
                yield event


class Member:
    """What it does when it is told to."""

    def __init__(self, broker: PoolBroker, backend: Counting) -> None:
        self._broker = broker
        self._backend = backend

    async def start(self, users: list[int]) -> dict[str, Any]:
        """Start VMs for all of them at once."""
        watch = Stopwatch()
        given = dict(await asyncio.gather(*(self._start(number) for number in users)))
        return {**watch.read(), "given": given}

    async def free(self, number: int) -> bool:
        """Wait until so many VMs are known to be free."""
        await until_free(self._broker, number)
        return True

    async def events(self, _: None) -> dict[str, float]:
        """Tell how many have come."""
        return {"events": self._backend.events, "cpu": time.process_time()}

    async def _start(self, number: int) -> tuple[str, str | None]:
        """Give the user's VM; none where too many were faster."""
        user = a_user(number)
        try:
            started = await self._broker.start(user, POOL)
        except Contention:
            return user.name, None
        return user.name, started.pool.vm.name if started.pool.vm else None


async def _run(kubeconfig: str, namespace: str, choice: str) -> None:
    prefer = scattered(warm_first, secrets.token_hex(8)) if choice == RANDOM else warm_first
    backend: Counting = backend_of(Counting, kubeconfig, namespace)
    gc.collect()
    before, watch = kilobytes(), Stopwatch()
    await backend.start()
    async with following(backend, prefer) as broker:
        took = watch.read()
        gc.collect()
        member = Member(broker, backend)
        ready = {**took, "before": before, "memory": kilobytes()}
        await obey(ready, {"start": member.start, "free": member.free, "events": member.events})
    await backend.stop()


if __name__ == "__main__":
    asyncio.run(_run(*sys.argv[1:]))
