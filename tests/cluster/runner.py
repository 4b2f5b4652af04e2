"""Plays VM-Operator for one namespace: its manager, its runners, and the displays of its VMs.

It does what `notes` say those do, seen from outside: pods with addresses, conditions, serials, logins, display secrets. Other
than those it writes only what it has read (a test on ``resourceVersion``), so that a test of something else never meets a lost
update; what VM-Operator's own writes do to ours, tests write themselves.
"""

import asyncio
import base64
import logging
import secrets
import time
from contextlib import suppress
from datetime import UTC, datetime

from tests.cluster.requests import RequestFailed

log = logging.getLogger(__name__)

AGENT = ("Running", "Booted", "VmopAgentConnected")
OF_A_RUN = ("Booted", "VmopAgentConnected", "UserLoggedIn", "ConsoleConnected")
GREETING = b"REDQ"
NO_TICKETING = -1
"""The serial of a display that asks for no password, as long as it runs."""


class PlayedOperator:
    def __init__(self, namespace, *, displays=True, now=None):
        self.namespace = namespace
        self._now = now or _now
        self.logs_in = True
        """Whether the guests' agents do what they are told."""
        self.tells_displays = True
        """Whether runners tell QEMU of new passwords."""
        self._with_displays = displays
        self._dirty = {}
        self._tasks = set()
        self._displays = {}
        self._known_passwords = {}

    async def __aenter__(self):
        for kind, names in (
            ("vms", self._vm_of_itself),
            ("vmpools", self._vms_of_pool),
            ("secrets", self._vm_of_secret),
        ):
            await self._begin(self._follow(kind, names))
        return self

    async def __aexit__(self, *_):
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for display in self._displays.values():
            await display.close()

    def connected(self, name):
        """Tell how many look at the display of a VM."""
        return len(self._displays[name].clients) if name in self._displays else 0

    def hang_up(self, name):
        self._displays[name].hang_up()

    # Inside.

    async def _begin(self, work):
        task = asyncio.create_task(work)
        self._tasks.add(task)

    async def _follow(self, kind, names):
        listed = await self.namespace.list(kind)
        for each in listed["items"]:
            self._touch(*names(each))
        async with self.namespace.watch(kind, resourceVersion=listed["metadata"]["resourceVersion"]) as events:
            async for event in events:
                if event["type"] in ("ADDED", "MODIFIED"):
                    self._touch(*names(event["object"]))

    def _vm_of_itself(self, vm):
        return (vm["metadata"]["name"],)

    def _vms_of_pool(self, _):
        return tuple(self._dirty)

    def _vm_of_secret(self, secret):
        return (secret["metadata"].get("labels", {}).get("app.kubernetes.io/instance", ""),)

    def _touch(self, *names):
        for name in filter(None, names):
            if name not in self._dirty:
                self._dirty[name] = asyncio.Event()
                self._tasks.add(asyncio.create_task(self._run(name), name=f"played runner {name}"))
            self._dirty[name].set()

    async def _run(self, name):
        """Do one thing after the other for a VM, each from what is so now."""
        dirty = self._dirty[name]
        while True:
            await dirty.wait()
            dirty.clear()
            try:
                if await self._step(name):
                    dirty.set()
            except RequestFailed as error:
                if error.status == 404:
                    return
                # Somebody else wrote: from what is so now, then.
                dirty.set()

    async def _step(self, name):
        vm = await self.namespace.get("vms", name)
        await self._see_to_secret(vm)
        wanted, status = vm["spec"]["vm"].get("state") == "Running", vm["status"]
        is_on = _is(status, "Running")
        if wanted and not is_on:
            return await self._switch_on(vm)
        if is_on and not wanted:
            return await self._switch_off(vm)
        if is_on and not _is(status, "Booted"):
            return await self._write(vm, osinfo={"id": "debian", "pretty-name": "Debian"}, Booted="VmBooted")
        if is_on and not _is(status, "VmopAgentConnected"):
            return await self._write(vm, VmopAgentConnected="VmopAgentStarted")
        return is_on and (
            await self._log_in_or_out(vm) or await self._tell_display(vm) or await self._look_who_looks(vm)
        )

    async def _switch_on(self, vm):
        name = vm["metadata"]["name"]
        if self._with_displays and name not in self._displays:
            self._displays[name] = PlayedDisplay(self._dirty[name].set)
            await self._displays[name].open(vm["spec"]["vm"]["display"]["spice"]["port"])
        await self._make_pod(name)
        self._known_passwords.pop(name, None)
        serial = 0 if await self._secrets(name) else NO_TICKETING
        status = {"runnerVersion": "4.0.1", "cpus": 2, "ram": "2147483648", "displayPasswordSerial": serial}
        return await self._write(vm, **status, Running="VmStarted")

    async def _switch_off(self, vm):
        name = vm["metadata"]["name"]
        if display := self._displays.pop(name, None):
            await display.close()
        with suppress(RequestFailed):
            await self.namespace.delete("pods", name, gracePeriodSeconds=0)
        status = {
            "runnerVersion": None,
            "cpus": 0,
            "ram": "0",
            "osinfo": None,
            "loggedInUser": None,
            "consoleClient": "",
        }
        return await self._write(vm, **status, off=("Running", *OF_A_RUN), reason="VmStopped")

    async def _log_in_or_out(self, vm):
        wanted, now = await self._wanted_user(vm), vm["status"].get("loggedInUser")
        if wanted == now or not self.logs_in:
            return False
        if wanted:
            return await self._write(vm, loggedInUser=wanted, UserLoggedIn="LoggedIn")
        return await self._write(vm, loggedInUser=None, off=("UserLoggedIn",), reason="NotRequested")

    async def _wanted_user(self, vm):
        assigned = vm["status"].get("assignment") or {}
        with suppress(RequestFailed):
            if assigned and (await self.namespace.get("vmpools", assigned["pool"]))["spec"].get("loginOnAssignment"):
                return assigned["user"]
        return vm["spec"]["vm"]["display"].get("loggedInUser")

    async def _tell_display(self, vm):
        name = vm["metadata"]["name"]
        if vm["status"]["displayPasswordSerial"] == NO_TICKETING:
            return False
        found = await self._secrets(name)
        password = base64.b64decode(found[0]["data"]["display-password"]).decode() if found else None
        if not found or not self.tells_displays or self._known_passwords.get(name) == password:
            return False
        await self._set_password(name, password)
        await self._write(vm, displayPasswordSerial=vm["status"]["displayPasswordSerial"] + 1)
        self._known_passwords[name] = password
        return True

    async def _set_password(self, name, password):
        """Tell QEMU; for whoever plays with a real one."""

    def _is_looked_at(self, name):
        display = self._displays.get(name)
        return bool(display and display.clients)

    async def _look_who_looks(self, vm):
        looks, told = self._is_looked_at(vm["metadata"]["name"]), _is(vm["status"], "ConsoleConnected")
        if looks == told:
            return False
        if looks:
            return await self._write(vm, consoleClient="127.0.0.1", ConsoleConnected="Connected")
        return await self._write(vm, consoleClient="", off=("ConsoleConnected",), reason="Disconnected")

    async def _see_to_secret(self, vm):
        spice = vm["spec"]["vm"].get("display", {}).get("spice", {})
        if not spice.get("generateSecret", True) or await self._secrets(vm["metadata"]["name"]):
            return
        name = vm["metadata"]["name"]
        labels = {f"app.kubernetes.io/{key}": value for key, value in _labels(name, "display-secret").items()}
        data = {"display-password": secrets.token_urlsafe(16), "password-expiry": "now"}
        metadata = {"name": f"{name}-display-secret", "labels": labels}
        await self.namespace.post("secrets", {"metadata": metadata, "type": "Opaque", "stringData": data})

    async def _secrets(self, name):
        selector = ",".join(
            f"app.kubernetes.io/{key}={value}" for key, value in _labels(name, "display-secret").items()
        )
        return (await self.namespace.list("secrets", labelSelector=selector))["items"]

    async def _make_pod(self, name):
        labels = {f"app.kubernetes.io/{key}": value for key, value in _labels(name, "vm-runner").items()}
        pod = {
            "metadata": {"name": name, "labels": labels},
            "spec": {"containers": [{"name": name, "image": "runner"}]},
        }
        with suppress(RequestFailed):
            await self.namespace.post("pods", pod)
        addresses = {"podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}], "phase": "Running"}
        await self.namespace.merge("pods", name, {"status": addresses}, "status")

    async def _write(self, vm, *, off=(), reason="", **changes):
        """Write what has changed; a key that begins with a capital is a condition that holds now, for that reason."""
        status = dict(vm["status"])
        for key, value in changes.items():
            if key[0].isupper():
                status["conditions"] = _told(status, key, on=True, reason=value, now=self._now())
            elif value is None:
                status.pop(key, None)
            else:
                status[key] = value
        for each in off:
            status["conditions"] = _told(status, each, on=False, reason=reason, now=self._now())
        unchanged = {"op": "test", "path": "/metadata/resourceVersion", "value": vm["metadata"]["resourceVersion"]}
        whole = {"op": "replace", "path": "/status", "value": status}
        await self.namespace.patch("vms", vm["metadata"]["name"], [unchanged, whole], "status")
        return True


class PlayedDisplay:
    """Takes connections, answers whoever greets as SPICE does, and repeats what it is told."""

    def __init__(self, changed):
        self.clients = set()
        self._changed = changed
        self._server = None

    async def open(self, port):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)

    async def close(self):
        self._server.close()
        self.hang_up()

    def hang_up(self):
        for client in self.clients:
            client.close()

    async def _serve(self, reader, writer):
        self.clients.add(writer)
        self._changed()
        with suppress(ConnectionError):
            while said := await reader.read(65536):
                writer.write(said)
                await writer.drain()
        self.clients.discard(writer)
        self._changed()
        writer.close()


def _labels(name, component):
    return {"name": "vm-runner", "component": component, "instance": name}


def _is(status, type_):
    return any(each["type"] == type_ and each["status"] == "True" for each in status.get("conditions", ()))


def _told(status, type_, *, on, reason, now):
    """Give the conditions after one was told: the time moves only when what it says does."""
    conditions = []
    for each in status["conditions"]:
        if each["type"] != type_:
            conditions.append(each)
            continue
        is_new = (each["status"] == "True") != on
        since = now if is_new else each["lastTransitionTime"]
        conditions.append({**each, "status": str(on), "reason": reason, "lastTransitionTime": since})
    return conditions


def _now():
    return datetime.fromtimestamp(time.time(), UTC).isoformat().replace("+00:00", "Z")  # noqa: TID251  # VM-Operator's own
