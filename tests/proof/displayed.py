"""VM-Operator, played, and who was in truth let into which run of a VM."""

import asyncio
import base64
import json
from collections import defaultdict
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

import aiohttp

from tests.cluster.requests import RequestFailed
from tests.cluster.runner import PlayedOperator

TICK = timedelta(microseconds=1)
LOST = (aiohttp.ClientError, OSError, TimeoutError, json.JSONDecodeError)


@dataclass(frozen=True)
class Entered:
    """Somebody's display was opened, in the run that began then."""

    version: int
    vm: str
    run: str
    user: str


class Operator(PlayedOperator):
    """Its displays take the password that they were told last, until it expires; its API server may be away."""

    def __init__(self, namespace, history, clock):
        super().__init__(namespace, displays=False, now=self._moment)
        self.entered = []
        self.seen = 0
        """The latest version of a VM that it was told of."""
        self._history = history
        self._clock = clock
        self._viewers = defaultdict(list)
        self._runs = {}
        self._last = clock.now()
        self._steps = 0
        self._locks = defaultdict(asyncio.Lock)

    @property
    def going_on(self):
        return self._steps, [name for name, each in self._dirty.items() if each.is_set()]

    @property
    def idle(self):
        return self.going_on == (0, [])

    async def look(self, name, user, password):
        """Connect to the display, as virt-viewer would; tell whether that was let in."""
        run = self._runs.get(name)
        if run is None or password != self._known_passwords.get(name) or await self._has_expired(name, password):
            return False
        if self._runs.get(name) != run or password != self._known_passwords.get(name):
            return False
        self._viewers[name].append(user)
        self.entered.append(Entered(await self._history.mark(), name, run, user))
        self._touch(name)
        return True

    def look_away(self, name):
        self._viewers[name].clear()
        self._touch(name)

    def look_around(self):
        """Look at every VM anew."""
        for name in self._dirty:
            self._touch(name)

    def viewed(self):
        return sorted(name for name, viewers in self._viewers.items() if viewers)

    @asynccontextmanager
    async def holding_still(self, name):
        """Have its runner do nothing to the VM meanwhile."""
        async with self._locks[name]:
            yield

    # Inside.

    def _moment(self):
        # No two things happen at the same moment.
        self._last = max(self._clock.right_now(), self._last + TICK)
        return self._last.isoformat().replace("+00:00", "Z")

    async def _has_expired(self, name, password):
        found = await self._secrets(name)
        told = {key: base64.b64decode(text).decode() for key, text in found[0]["data"].items()} if found else {}
        if told.get("display-password") != password:
            # Another has been set since, of which the display was not told yet.
            return False
        expiry = told["password-expiry"]
        return not expiry.isdecimal() or int(expiry) < self._clock.right_now().timestamp()

    def _is_looked_at(self, name):
        return bool(self._viewers[name])

    def _vm_of_itself(self, vm):
        self.seen = max(self.seen, int(vm["metadata"]["resourceVersion"]))
        return super()._vm_of_itself(vm)

    async def _follow(self, kind, names):
        while True:
            with suppress(RequestFailed, *LOST):
                await super()._follow(kind, names)
            await asyncio.sleep(0.1)

    async def _run(self, name):
        while True:
            try:
                await super()._run(name)
            except LOST:
                self._dirty[name].set()
                await asyncio.sleep(0.1)
            else:
                return self._is_gone(name)

    def _is_gone(self, name):
        is_back = self._dirty.pop(name).is_set()
        if is_back:
            self._touch(name)
        self._viewers.pop(name, None)
        self._runs.pop(name, None)

    async def _step(self, name):
        self._steps += 1
        try:
            async with self._locks[name]:
                return await super()._step(name)
        finally:
            self._steps -= 1

    async def _switch_on(self, vm):
        self._viewers[vm["metadata"]["name"]].clear()
        return await super()._switch_on(vm)

    async def _switch_off(self, vm):
        # Whoever looks sees the machine go off before anybody is told of it.
        self._viewers[vm["metadata"]["name"]].clear()
        self._runs.pop(vm["metadata"]["name"], None)
        return await super()._switch_off(vm)

    async def _write(self, vm, **changes):
        await super()._write(vm, **changes)
        if "Running" in changes:
            running = next(
                each
                for each in (await self.namespace.get("vms", vm["metadata"]["name"]))["status"]["conditions"]
                if each["type"] == "Running"
            )
            self._runs[vm["metadata"]["name"]] = running["lastTransitionTime"]
        return True
