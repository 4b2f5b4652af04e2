"""VM-Operator played with real machines: it tells them the passwords, and sees who looks."""

import asyncio
import threading
from contextlib import contextmanager

from tests.cluster.definitions import a_pool, a_vm
from tests.cluster.fixtures import requests_to
from tests.cluster.requests import Namespace
from tests.cluster.runner import PlayedOperator

NAMESPACE, POOL = "story", "desk"
LOOKS_EVERY = 0.2
GOOD_FOR = 10


class OperatorWithMachines(PlayedOperator):
    """Each VM of the namespace is a machine that runs already, called like it."""

    def __init__(self, namespace, machines):
        super().__init__(namespace, displays=False)
        self._machines = machines
        self._looked_at = {}

    async def watch_machines(self):
        while True:
            for name, machine in self._machines.items():
                looked_at = bool(await asyncio.to_thread(machine.channels))
                if looked_at != self._looked_at.get(name):
                    self._looked_at[name] = looked_at
                    self._touch(name)
            await asyncio.sleep(LOOKS_EVERY)

    async def _set_password(self, name, password):
        await asyncio.to_thread(self._machines[name].let_in, password, GOOD_FOR)

    def _is_looked_at(self, name):
        return self._looked_at.get(name, False)


@contextmanager
def operating(control_plane, machines):
    """Define a pool of the machines, and play VM-Operator for them in a thread of its own."""
    loop = asyncio.new_event_loop()
    over, ready = asyncio.Event(), threading.Event()

    async def operate():
        async with requests_to(control_plane) as requests:
            namespace = await Namespace(requests, NAMESPACE).create()
            await namespace.post("vmpools", a_pool(POOL))
            for name, machine in machines.items():
                await namespace.post("vms", a_vm(name, pools=[POOL], port=machine.port))
            async with OperatorWithMachines(namespace, machines) as operator:
                watching = asyncio.create_task(operator.watch_machines())
                ready.set()
                await over.wait()
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)

    thread = threading.Thread(target=loop.run_until_complete, args=[operate()])
    thread.start()
    assert ready.wait(60)
    yield
    loop.call_soon_threadsafe(over.set)
    thread.join()
    loop.close()
