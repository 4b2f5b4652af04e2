"""What a cluster does without the broker: requests by aiohttp, and nothing around them."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp

from benchmarks.cluster.place import POOL, a_field
from benchmarks.fields import CLOCK, a_user, vm_name
from vmpool_ext.domain.machine import RequestedState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from benchmarks.cluster.place import OnDisk

ITS_VMS = 256
"""More than are ever written to at once."""
_PATH = "/apis/vmoperator.jdrupes.org/v1/namespaces/{}/vms"
_VERSION = re.compile(rb'"resourceVersion":"(\d+)"')
_PATCHES = re.compile(
    r'^apiserver_request_total\{code="(\d+)",.*resource="vms",.*verb="PATCH",.*\} (\d+)$', re.MULTILINE
)
_CONFLICT = "409"
_INITIAL_EVENTS_END = b'"k8s.io/initial-events-end":"true"'
_LONGEST_BOOKMARK = 1000
_MERGE = {"Content-Type": "application/merge-patch+json"}


class Bare:
    """Conditional merge patches to VMs, which are its own: each is given away again and again."""

    def __init__(self, session: aiohttp.ClientSession, namespace: str) -> None:
        self._session = session
        self._path = _PATH.format(namespace)
        self._versions: dict[int, str] = {}

    async def know(self) -> None:
        """Read the versions that the first conditions name."""
        async with self._session.get(self._path) as answer:
            for each in (await answer.json())["items"]:
                self._versions[_number(each["metadata"]["name"])] = each["metadata"]["resourceVersion"]

    async def assign(self, number: int) -> None:
        """Write an assignment: one that no VM had before, or it would not be written."""
        number %= ITS_VMS
        used = CLOCK.now().isoformat()
        assignment = {"pool": POOL, "user": a_user(number).name, "lastUsed": used}
        await self._write(number, "/status", {"status": {"assignment": assignment}})

    async def start(self, number: int) -> None:
        """Write an assignment, then what is wanted: by turns, so that it is always another."""
        number %= ITS_VMS
        await self.assign(number)
        wanted = RequestedState.RUNNING if number not in self._running else RequestedState.STOPPED
        self._running ^= {number}
        await self._write(number, "", {"spec": {"vm": {"state": wanted.value}}})

    async def _write(self, number: int, part: str, patch: dict[str, Any]) -> None:
        body = json.dumps({"metadata": {"resourceVersion": self._versions[number]}, **patch})
        async with self._session.patch(f"{self._path}/{vm_name(number)}{part}", data=body, headers=_MERGE) as answer:
            said = await answer.read()
            answer.raise_for_status()
        found = _VERSION.search(said)
        self._versions[number] = found[1].decode() if found else ""

    _running: frozenset[int] = frozenset()


@asynccontextmanager
async def a_bare_client(plane: OnDisk, name: str, *, running: bool = True) -> AsyncIterator[Bare]:
    """Give one with VMs of its own, of which nobody is told."""
    async with (
        a_field(plane, name, ITS_VMS, running=running) as field,
        a_session(*plane.access) as session,
    ):
        bare = Bare(session, field.name)
        await bare.know()
        yield bare


@asynccontextmanager
async def a_session(url: str, certificate: str | Path, token: str) -> AsyncIterator[aiohttp.ClientSession]:
    """Give as many connections as are wanted."""
    tls = ssl.create_default_context(cafile=certificate)
    connector = aiohttp.TCPConnector(limit=0, ssl=tls)
    async with aiohttp.ClientSession(url, connector=connector, headers={"Authorization": f"Bearer {token}"}) as session:
        yield session


@asynccontextmanager
async def being_told(plane: OnDisk, namespace: str) -> AsyncIterator[None]:
    """Have a watch tell us of everything, and not look into it: whoever decides by what there is needs at least that."""

    async def read() -> None:
        async with a_session(*plane.access) as session:
            async for line in lines(session, namespace):
                if ends_the_list(line):
                    listed.set()
        message = "The API server has ended the watch."
        raise ConnectionError(message)

    listed = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        # Whatever ends it ends the measurement: it would be one of bare writes, unnoticed.
        reading = group.create_task(read())
        await listed.wait()
        yield
        reading.cancel()


async def patches(session: aiohttp.ClientSession) -> tuple[int, int]:
    """Tell how many patches of VMs the API server has answered, by its own count, and how many of them it has refused."""
    async with session.get("/metrics") as answer:
        found = _PATCHES.findall(await answer.text())
    return sum(int(count) for _, count in found), sum(int(count) for code, count in found if code == _CONFLICT)


async def lines(session: aiohttp.ClientSession, namespace: str) -> AsyncIterator[bytes]:
    """Read what a watch tells, from the list on, without looking into it."""
    query = {
        "watch": "1",
        "allowWatchBookmarks": "true",
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
    }
    wait = aiohttp.ClientTimeout(total=None)
    async with session.get(_PATH.format(namespace), params=query, timeout=wait, read_bufsize=2**20) as answer:
        async for line in answer.content:
            yield line


def ends_the_list(line: bytes) -> bool:
    """Whether all that there is has been told with this line."""
    return len(line) < _LONGEST_BOOKMARK and _INITIAL_EVENTS_END in line


def _number(name: str) -> int:
    return int(name.rpartition("-")[2])
