"""The least that reads what a watch tells: ``python -m benchmarks.cluster.reader URL CERTIFICATE TOKEN NAMESPACE``."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING

from benchmarks.cluster.bare import a_session, ends_the_list, lines
from benchmarks.cluster.process import Stopwatch, obey

if TYPE_CHECKING:
    from benchmarks.cluster.place import OnDisk


def place(plane: OnDisk, namespace: str) -> tuple[str, ...]:
    """Give its arguments."""
    return (*map(str, plane.access), namespace)


class Reader:
    """Counts lines."""

    def __init__(self) -> None:
        self.count = 0
        self.listed = asyncio.Event()

    async def read(self, url: str, certificate: str, token: str, namespace: str) -> None:
        """Read for ever."""
        async with a_session(url, certificate, token) as session:
            async for line in lines(session, namespace):
                self.count += 1
                if ends_the_list(line):
                    self.listed.set()

    async def events(self, _: None) -> dict[str, float]:
        """Tell how many lines have come."""
        return {"events": self.count, "cpu": time.process_time()}


async def _run(*place: str) -> None:
    reader, watch = Reader(), Stopwatch()
    reading = asyncio.create_task(reader.read(*place))
    await reader.listed.wait()
    await obey(watch.read(), {"events": reader.events})
    reading.cancel()


if __name__ == "__main__":
    asyncio.run(_run(*sys.argv[1:]))
