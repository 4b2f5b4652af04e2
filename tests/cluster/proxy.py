"""A proxy in front of the API server that does what networks and load balancers do, as a test says."""

import asyncio
from collections import deque
from contextlib import asynccontextmanager

from aiohttp import web
from yarl import URL

from tests.cluster.requests import Requests

_HOP_BY_HOP = {"transfer-encoding", "content-length", "connection", "content-encoding", "host"}


class Answered:
    """Give this instead of an answer of the API server: before it is asked, or after it has done what was asked."""

    def __init__(self, status, *, after=False, retry_after=None):
        self.status = status
        self.after = after
        self.headers = {"Retry-After": str(retry_after)} if retry_after is not None else {}


class Silence:
    """Never answer: before the API server is asked, or after it has done what was asked."""

    def __init__(self, *, after=False):
        self.after = after


class FaultyProxy:
    """Passes everything on, but for the next requests that a test has made plans for."""

    def __init__(self, control_plane):
        self._control_plane = control_plane
        self._plans = []
        self._streams = set()
        self.asked = []
        """What was asked for, as (method, path), in order."""
        self.url = ""

    def next(self, method, part, *faults):
        """Plan the faults of the next requests of this method to addresses with this part."""
        self._plans.append((method, part, deque(faults)))

    def cut_streams(self, *, in_mid_event=False):
        """Break every watch, after half an event or between two."""
        for stream in tuple(self._streams):
            stream.cut(in_mid_event=in_mid_event)

    def say_in_streams(self, line):
        """Have every watch end with these words, as if the API server had said them."""
        for stream in tuple(self._streams):
            stream.say(line)

    def hold_streams(self):
        """Keep back what the watches of now would tell, for ever: a line that is dead and does not know it."""
        for stream in self._streams:
            stream.held = True

    @asynccontextmanager
    async def serving(self):
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, shutdown_timeout=0, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with Requests(*self._control_plane.access) as requests:
            self._requests = requests
            yield self
            await runner.cleanup()

    def _fault(self, request):
        for method, part, faults in self._plans:
            if faults and request.method == method and part in request.path_qs:
                return faults.popleft()
        return None

    async def _handle(self, request):
        self.asked.append((request.method, request.path_qs))
        fault = self._fault(request)
        if fault and not fault.after:
            return await self._failed(fault)
        if "watch=1" in request.path_qs:
            async with self._sent(request, b"") as answer:
                return await self._streamed(request, answer)
        answered = await self._answered(request, await request.read())
        return await self._failed(fault) if fault else answered

    async def _answered(self, request, body):
        async with self._sent(request, body) as answer:
            return web.Response(status=answer.status, body=await answer.read(), headers=_passed_on(answer))

    def _sent(self, request, body):
        headers = {key: value for key, value in request.headers.items() if key.lower() not in _HOP_BY_HOP}
        return self._requests.sent(request.method, URL(request.raw_path, encoded=True), body, headers)

    async def _failed(self, fault):
        if isinstance(fault, Silence):
            await _for_ever()
        return web.Response(status=fault.status, text="an answer of nobody's", headers=fault.headers)

    async def _streamed(self, request, answer):
        response = web.StreamResponse(status=answer.status, headers=_passed_on(answer))
        await response.prepare(request)
        stream = _Stream(request.transport)
        self._streams.add(stream)
        try:
            async for chunk in answer.content.iter_any():
                if stream.held:
                    await _for_ever()
                if stream.in_mid_event:
                    await response.write(chunk[: len(chunk) // 2])
                    request.transport.abort()
                if stream.last_words:
                    await response.write(stream.last_words)
                if stream.is_over:
                    break
                await response.write(chunk)
        finally:
            self._streams.discard(stream)
        return response


class _Stream:
    def __init__(self, transport):
        self._transport = transport
        self.in_mid_event = False
        self.held = False
        self.last_words = b""

    @property
    def is_over(self):
        return self.in_mid_event or self.last_words

    def cut(self, *, in_mid_event):
        self.in_mid_event = in_mid_event
        if not in_mid_event:
            self._transport.abort()

    def say(self, line):
        self.last_words = line


def _passed_on(answer):
    return {key: value for key, value in answer.headers.items() if key.lower() not in _HOP_BY_HOP}


async def _for_ever():
    await asyncio.Event().wait()
