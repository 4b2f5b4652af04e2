"""Requests to a cluster as anybody else makes them: not by the code under test."""

import json
import ssl
from contextlib import asynccontextmanager

import aiohttp
from aiohttp.connector import NEEDS_CLEANUP_CLOSED

GROUP = "vmoperator.jdrupes.org/v1"
MERGE, JSON_PATCH = "application/merge-patch+json", "application/json-patch+json"


class RequestFailed(Exception):
    def __init__(self, status, said):
        super().__init__(f"{status}: {said}")
        self.status = status


class Requests:
    """One connection pool of an administrator, or of whoever's token it is."""

    def __init__(self, url, certificate, token):
        self._url = url
        self._tls = ssl.create_default_context(cafile=certificate)
        self._headers = {"Authorization": f"Bearer {token}"}
        self._session = None

    async def __aenter__(self):
        resolver = aiohttp.ThreadedResolver()
        connector = aiohttp.TCPConnector(limit=0, enable_cleanup_closed=NEEDS_CLEANUP_CLOSED, resolver=resolver)
        self._session = aiohttp.ClientSession(self._url, connector=connector, headers=self._headers)
        return self

    async def __aexit__(self, *_):
        await self._session.close()

    async def ask(self, method, path, body=None, content_type="application/json", **query):
        data = None if body is None else json.dumps(body)
        headers = {"Content-Type": content_type}
        asked = self._session.request(method, path, data=data, headers=headers, params=query, ssl=self._tls)
        async with asked as answer:
            said = await answer.json(content_type=None)
            if answer.status >= 400:
                raise RequestFailed(answer.status, said.get("message") if isinstance(said, dict) else said)
            return said

    def sent(self, method, path, data, headers):
        """Pass on what somebody else asks."""
        wait = aiohttp.ClientTimeout(total=None)
        return self._session.request(method, path, data=data, headers=headers, ssl=self._tls, timeout=wait)

    @asynccontextmanager
    async def watch(self, path, **query):
        """Give what changes, line by line."""
        wait = aiohttp.ClientTimeout(total=None)
        parameters = {"watch": "1", "allowWatchBookmarks": "true", **query}
        asked = self._session.get(path, params=parameters, ssl=self._tls, timeout=wait, read_bufsize=2**20)
        async with asked as answer:
            answer.raise_for_status()
            yield (json.loads(line) async for line in answer.content)


class Namespace:
    """What an administrator does in one namespace."""

    def __init__(self, requests, name):
        self.requests = requests
        self.name = name

    async def create(self):
        await self.requests.ask("POST", "/api/v1/namespaces", {"metadata": {"name": self.name}})
        return self

    def path(self, kind, name="", part=""):
        """Give the address of objects of a kind, or of one, or of a part of it."""
        version = f"/apis/{GROUP}" if kind in ("vms", "vmpools") else "/api/v1"
        version = "/apis/events.k8s.io/v1" if kind == "events" else version
        return "/".join(each for each in (f"{version}/namespaces/{self.name}/{kind}", name, part) if each)

    async def list(self, kind, **query):
        return await self.requests.ask("GET", self.path(kind), **query)

    async def get(self, kind, name):
        return await self.requests.ask("GET", self.path(kind, name))

    async def post(self, kind, body):
        return await self.requests.ask("POST", self.path(kind), body)

    async def delete(self, kind, name, **options):
        return await self.requests.ask("DELETE", self.path(kind, name), options or None)

    async def merge(self, kind, name, patch, part=""):
        return await self.requests.ask("PATCH", self.path(kind, name, part), patch, MERGE)

    async def patch(self, kind, name, operations, part=""):
        return await self.requests.ask("PATCH", self.path(kind, name, part), operations, JSON_PATCH)

    async def replace_status(self, name, status):
        """Write a whole status without a condition, as VM-Operator's manager and runner do."""
        return await self.patch("vms", name, [{"op": "replace", "path": "/status", "value": status}], "status")

    def watch(self, kind, **query):
        return self.requests.watch(self.path(kind), **query)
