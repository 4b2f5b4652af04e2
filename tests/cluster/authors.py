"""Who wrote which version of what: noted by those who send the writes, none of whom is code under test."""

import asyncio
import json
from contextlib import suppress

from aiohttp import web

from tests.cluster.proxy import FaultyProxy
from tests.cluster.requests import Namespace, RequestFailed


class Authors(dict):
    """By version. A write whose answer nobody heard is in doubt: it may have been done."""

    def __init__(self):
        super().__init__()
        self.in_doubt = []

    def wrote(self, author, said, before=None):
        """Note whose this version is; ``before`` is the one that it was to follow, and still is where nothing was changed."""
        version = said.get("metadata", {}).get("resourceVersion")
        if version and before is None:
            self.setdefault(int(version), author)
        elif version and version != before:
            self[int(version)] = author


class SignedNamespace(Namespace):
    """A namespace to which somebody writes under their name."""

    def __init__(self, namespace, authors, author):
        super().__init__(namespace.requests, namespace.name)
        self._authors = authors
        self._author = author

    def by(self, author):
        return SignedNamespace(self, self._authors, author)

    async def post(self, kind, body):
        return await self._signed(super().post(kind, body), self.path(kind, body["metadata"].get("name", "")))

    async def merge(self, kind, name, patch, part=""):
        return await self._signed(super().merge(kind, name, patch, part), self.path(kind, name))

    async def patch(self, kind, name, operations, part=""):
        before = next((each["value"] for each in operations if each["op"] == "test"), None)
        return await self._signed(super().patch(kind, name, operations, part), self.path(kind, name), before)

    async def _signed(self, asked, path, before=None):
        try:
            said = await asked
        except RequestFailed:
            raise
        except BaseException:
            self._authors.in_doubt.append((self._author, path))
            raise
        self._authors.wrote(self._author, said, before)
        return said


class SigningProxy(FaultyProxy):
    """The way of one broker to the API server. What it has begun to send on it sees through, whoever waits for it."""

    def __init__(self, control_plane, authors, author):
        super().__init__(control_plane)
        self._authors = authors
        self._author = author
        self.sending = set()
        self.is_cut = False
        """Whether nothing is passed on any more: the broker is dead."""

    def heal(self):
        self._plans.clear()

    async def end(self):
        """Wait for what was begun."""
        await asyncio.gather(*self.sending, return_exceptions=True)

    async def _answered(self, request, body):
        if self.is_cut:
            return web.Response(status=503)
        if request.method not in ("PATCH", "POST"):
            return await super()._answered(request, body)
        task = asyncio.create_task(self._noted(request, body))
        self.sending.add(task)
        task.add_done_callback(self.sending.discard)
        return await asyncio.shield(task)

    async def _noted(self, request, body):
        try:
            answered = await super()._answered(request, body)
        except Exception:
            self._authors.in_doubt.append((self._author, request.path))
            raise
        if answered.status < 300:
            with suppress(ValueError):
                before = json.loads(body).get("metadata", {}).get("resourceVersion")
                self._authors.wrote(self._author, json.loads(answered.body), before)
        return answered
