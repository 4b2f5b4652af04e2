"""Everything that an API server told of the VMs of a namespace, and what it must not have been.

It is a watch of its own, by somebody who has nothing to do with the brokers; it is looked at when all is over.
"""

import asyncio
import json
from contextlib import asynccontextmanager

import aiohttp

from tests.cluster.requests import RequestFailed


class History:
    def __init__(self, namespace):
        self._namespace = namespace
        self.events = []
        """(version, VM, user or None), in order."""
        self._version = ""

    @asynccontextmanager
    async def written(self):
        """Write down what happens meanwhile, until what is so in the end is told."""
        await self._read()
        task = asyncio.create_task(self._follow())
        yield self
        last = max(int(vm["metadata"]["resourceVersion"]) for vm in (await self._namespace.list("vms"))["items"])
        while self.events[-1][0] < last:  # it is the follower that it waits for
            assert not task.done(), task.result()
            await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def owners(self):
        """Give who had each VM, one after the other; None is nobody."""
        owners = {}
        for _, name, user in self.events:
            told = owners.setdefault(name, [])
            if not told or told[-1] != user:
                told.append(user)
        return owners

    def of(self, user):
        """Give the VMs that are the user's at the end."""
        return [name for name, told in self.owners().items() if told[-1] == user]

    async def _read(self):
        listed = await self._namespace.list("vms")
        self._version = listed["metadata"]["resourceVersion"]
        for vm in sorted(listed["items"], key=lambda vm: int(vm["metadata"]["resourceVersion"])):
            self._note(vm)

    async def _follow(self):
        while True:
            try:
                async with self._namespace.watch("vms", resourceVersion=self._version) as events:
                    async for event in events:
                        if event["type"] == "ERROR":
                            await self._read()
                            break
                        self._version = event["object"]["metadata"]["resourceVersion"]
                        if event["type"] != "BOOKMARK":
                            self._note(event["object"])
            except (aiohttp.ClientError, RequestFailed, json.JSONDecodeError):
                await asyncio.sleep(0.1)

    def _note(self, vm):
        user = ((vm.get("status") or {}).get("assignment") or {}).get("user")
        self.events.append((int(vm["metadata"]["resourceVersion"]), vm["metadata"]["name"], user))
