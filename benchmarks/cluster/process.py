"""A process that does what it is told line by line, in JSON; the side that tells, and the side that does."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    Commands = Mapping[str, Callable[[Any], Awaitable[object]]]

_ROOT = Path(__file__).parents[2]
_LONGEST = 2**20


class Told:
    """The process, seen from outside."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ask(self, command: str, argument: Any = None) -> Any:
        """Have something done, and give what came of it."""
        assert self._process.stdin  # noqa: S101  # for mypy: it is a pipe
        self._process.stdin.write(json.dumps([command, argument]).encode() + b"\n")
        return await self.answer()

    async def answer(self) -> Any:
        """Wait for what it says."""
        assert self._process.stdout  # noqa: S101  # as above
        said = await self._process.stdout.readline()
        if not said:
            message = "A process of the benchmark has ended."
            raise RuntimeError(message)
        return json.loads(said)


@asynccontextmanager
async def a_process(module: str, *arguments: str) -> AsyncIterator[tuple[Told, Any]]:
    """Give one, and what it says when it is ready; it ends when nobody can tell it anything any more."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, stdin=pipe, stdout=pipe, cwd=_ROOT, limit=_LONGEST
    )
    told = Told(process)
    try:
        yield told, await told.answer()
    finally:
        assert process.stdin  # noqa: S101  # as above
        process.stdin.close()
        await process.wait()


async def obey(ready: object, commands: Commands) -> None:
    """Say that all is ready, then do what is told until nothing is any more."""
    say(ready)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command, argument = json.loads(line)
        say(await commands[command](argument))


def say(what: object) -> None:
    """Tell whoever asked."""
    print(json.dumps(what), flush=True)


def kilobytes() -> dict[str, int]:
    """Tell how much memory this process has, and has had at most."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    named = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+)", status, re.MULTILINE))
    return {"now": int(named["VmRSS"]), "most": int(named["VmHWM"])}


class Stopwatch:
    """Seconds and CPU seconds of this process since then."""

    def __init__(self) -> None:
        self._wall = time.perf_counter()
        self._cpu = time.process_time()

    def read(self) -> dict[str, float]:
        """Tell both."""
        return {"seconds": time.perf_counter() - self._wall, "cpu": time.process_time() - self._cpu}
