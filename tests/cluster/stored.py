"""All that was ever stored of the pools and VMs of a namespace, as etcd itself tells it, and moments marked in between.

An API server forgets what happened before it was started; etcd tells every version of every object in one order, whatever happens
to the API server meanwhile. A mark is a key of nobody's beside them: so it is known what was written before it, and what after.
"""

import asyncio
import base64
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

GROUP = "/registry/vmoperator.jdrupes.org/"
MARKS = "marks"


@dataclass(frozen=True)
class Stored:
    """One version of one object; None is its deletion."""

    version: int
    kind: str
    name: str
    object: dict | None


class EtcdHistory:
    """Writes down what is stored; looked at when all is over."""

    def __init__(self, control_plane, namespace):
        self._url = f"http://127.0.0.1:{control_plane.etcd_port}"
        self._namespace = namespace
        self.stored = []
        self.last_version = 0
        """Of all that was told of yet."""
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def written(self):
        """Write down what happens meanwhile, to the last of it."""
        wait = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(self._url, timeout=wait) as self._session:
            first = await self.mark() + 1
            task = asyncio.create_task(self._follow(first))
            try:
                yield self
                await self.until(await self.mark(), task)
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def now(self, kind):
        """Give the last that was stored of each object of a kind, its deletion too."""
        await self.until(await self.mark())
        return {each.name: each for each in self.stored if each.kind == kind}

    async def mark(self):
        """Give a version that nothing has, later than all that was written and earlier than all that will be."""
        said = await self._ask("/v3/kv/put", {"key": _base64(f"{GROUP}{MARKS}/{self._namespace}/now"), "value": ""})
        return int(said["header"]["revision"])

    async def until(self, version, task=None):
        """Return when all up to this version was told of."""
        while self.last_version < version:
            assert task is None or not task.done(), task.exception()
            await self._changed.wait()

    async def _ask(self, path, body):
        async with self._session.post(path, json=body) as answer:
            return await answer.json()

    async def _follow(self, first):
        asked = {"key": _base64(GROUP), "range_end": _base64(GROUP[:-1] + "0"), "start_revision": first}
        line = b""
        async with self._session.post("/v3/watch", json={"create_request": asked}) as answer:
            async for chunk in answer.content.iter_any():
                *lines, line = (line + chunk).split(b"\n")
                for each in lines:
                    self._take_in(json.loads(each)["result"])

    def _take_in(self, told):
        for event in told.get("events", ()):
            kind, namespace, name = _text(event["kv"]["key"]).removeprefix(GROUP).split("/")
            if namespace != self._namespace:
                continue
            self.last_version = int(event["kv"]["mod_revision"])
            if kind != MARKS:
                is_gone = event.get("type") == "DELETE"
                value = None if is_gone else json.loads(_text(event["kv"]["value"]))
                self.stored.append(Stored(self.last_version, kind, name, value))
        self._changed.set()
        self._changed = asyncio.Event()


def _base64(text):
    return base64.b64encode(text.encode()).decode()


def _text(data):
    return base64.b64decode(data).decode()
