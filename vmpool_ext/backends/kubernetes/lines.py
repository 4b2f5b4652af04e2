"""Lines of a stream, and what to think of silence."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from vmpool_ext.backends.kubernetes.errors import Lost

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    import aiohttp


class Lines:
    """Whole lines, of any length; a silent stream is not waited for for ever.

    After ``quiet`` seconds without a word ``ask_whether_there`` is asked, which raises if nobody is; after ``silent`` seconds
    the stream is lost, whatever that said.
    """

    def __init__(
        self,
        content: aiohttp.StreamReader,
        quiet: float,
        silent: float,
        ask_whether_there: Callable[[], Awaitable[None]],
    ) -> None:
        self._content = content
        self._quiet = quiet
        self._silent = silent
        self._ask_whether_there = ask_whether_there

    async def each(self) -> AsyncGenerator[bytes, None]:
        """Give the lines that are whole, until the stream ends; what it ends with is none."""
        rest = b""
        while chunk := await self._chunk():
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                if line:
                    yield line

    async def _chunk(self) -> bytes:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        while loop.time() < begin + self._silent:
            try:
                async with asyncio.timeout(self._quiet):
                    return await self._content.readany()
            except TimeoutError:
                await self._ask_whether_there()
        message = "The API server has been silent for too long."
        raise Lost(message)
