"""A real API server with etcd on a disk, and VMs in it as VM-Operator's users and runners write them."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.fields import ROLE, a_directory, pool_name, vm_name
from benchmarks.timing import take
from tests.cluster.build import build
from tests.cluster.control_plane import ControlPlane
from tests.cluster.definitions import a_pool, a_vm
from tests.cluster.fixtures import define_resources
from tests.cluster.requests import Namespace, Requests
from vmpool_ext.domain.machine import RequestedState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
    from pathlib import Path

POOL = pool_name(0)
AT_ONCE = 16
USED_A_DAY = 100
BEGAN = "2026-01-15T12:00:00Z"
OF_A_RUN = ("Running", "Booted", "VmopAgentConnected")
UNASSIGNED = {"assignment": None}
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class OnDisk(ControlPlane):  # type: ignore[misc]  # tests have no types
    """etcd syncs what it writes, as it does by default: its tests do without."""

    def __init__(self, folder: Path) -> None:
        self._disk = folder
        super().__init__()

    def _spawn(self, program: str, options: dict[str, Any]) -> Any:
        if program == "etcd":
            options = {**options, "data-dir": self._disk / "etcd", "unsafe-no-fsync": "false"}
        return super()._spawn(program, options)


@contextmanager
def a_cluster() -> Iterator[OnDisk]:
    """Give a cluster in which pools and VMs are known."""
    build()
    with a_directory() as folder:
        plane = OnDisk(folder)
        try:
            plane.start()
            asyncio.run(_define(plane))
            yield plane
        finally:
            plane.stop()


async def _define(plane: OnDisk) -> None:
    async with Requests(*plane.access) as requests:
        await define_resources(requests)


class Field:
    """A namespace with one pool and VMs that are all alike but for their names, and for when they were used if they were."""

    def __init__(self, plane: OnDisk, namespace: Any, *, running: bool, used: bool) -> None:
        self.plane = plane
        self.name: str = namespace.name
        self.vms = 0
        self._namespace = namespace
        self._running = running
        self._used = used

    async def grow(self, vms: int) -> None:
        """Define VMs until there are so many."""
        await _all(partial(self._make, number) for number in range(self.vms, vms))
        self.vms = vms

    async def put_back(self, names: Iterable[str]) -> None:
        """Make VMs again what they were before they were started; only what differs is written."""
        await _all(partial(self._put_back, name) for name in names)

    async def given(self) -> dict[str, str]:
        """Tell which VM is whose."""
        listed = (await self._namespace.list("vms"))["items"]
        assigned = {each["metadata"]["name"]: each["status"].get("assignment") for each in listed}
        return {name: assignment["user"] for name, assignment in assigned.items() if assignment}

    async def touch(self, number: int, words: str) -> None:
        """Change what a user sees of a VM, as its runner would."""
        await self._namespace.merge("vms", vm_name(number), {"status": {"osinfo": {"pretty-name": words}}}, "status")

    async def kilobytes_each(self) -> float:
        """Tell how large the first VMs are as the API server gives them."""
        listed = (await self._namespace.list("vms", limit="100"))["items"]
        return sum(len(json.dumps(each, separators=(",", ":"))) for each in listed) / len(listed) / 1e3

    async def _make(self, number: int) -> None:
        await self._namespace.post("vms", _a_vm(number, running=self._running))
        status = _a_status(number, running=self._running, used=self._used)
        await self._namespace.merge("vms", vm_name(number), {"status": status}, "status")

    async def _put_back(self, name: str) -> None:
        await self._namespace.merge("vms", name, {"status": UNASSIGNED}, "status")
        if not self._running:
            await self._namespace.merge("vms", name, {"spec": {"vm": {"state": RequestedState.STOPPED.value}}})


@asynccontextmanager
async def a_field(
    plane: OnDisk, name: str, vms: int, *, running: bool = True, used: bool = False
) -> AsyncIterator[Field]:
    """Give a new namespace with so many VMs."""
    async with Requests(*plane.access) as requests:
        namespace = await Namespace(requests, name).create()
        await namespace.post("vmpools", a_pool(POOL, permissions=[{"role": ROLE, "may": ["*"]}]))
        field = Field(plane, namespace, running=running, used=used)
        await field.grow(vms)
        yield field


async def _all(jobs: Iterable[Callable[[], Awaitable[None]]]) -> None:
    """Do them with some under way."""
    if wanted := list(jobs):
        await take(wanted, AT_ONCE)


def _a_vm(number: int, *, running: bool) -> dict[str, Any]:
    """Give a VM as somebody wrote it, with what `kubectl apply` notes: kilobytes of which the broker needs next to nothing."""
    state = RequestedState.RUNNING if running else RequestedState.STOPPED
    vm: dict[str, Any] = a_vm(
        vm_name(number), pools=(POOL,), state=state.value, disks=_disks(), networks=_networks(number)
    )
    vm["metadata"]["labels"] = {"app.kubernetes.io/part-of": "course", "course": "operating-systems-2026"}
    vm["spec"]["image"] = {
        "repository": "ghcr.io",
        "path": "mnlipp/org.jdrupes.vmoperator.runner.qemu-arch",
        "version": "4",
    }
    vm["spec"]["resources"] = {"requests": {"cpu": 2, "memory": "2Gi"}}
    vm["spec"]["cloudInit"] = {
        "metaData": {"instance-id": vm_name(number), "local-hostname": vm_name(number)},
        "userData": {
            "users": [{"name": "student", "shell": "/bin/bash"}],
            "packages": ["qemu-guest-agent", "spice-vdagent"],
        },
    }
    vm["metadata"]["annotations"] = {LAST_APPLIED: json.dumps(vm)}
    return vm


def _disks() -> list[dict[str, Any]]:
    claim = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "40Gi"}},
        "storageClassName": "fast",
    }
    system = {
        "metadata": {"name": "system"},
        "spec": {**claim, "dataSource": {"kind": "VolumeSnapshot", "name": "base"}},
    }
    data = {"metadata": {"name": "data"}, "spec": claim}
    cdrom = {"image": "https://images.example.org/installers/debian-13.1.0-amd64-netinst.iso"}
    return [{"volumeClaimTemplate": system, "bootindex": 0}, {"volumeClaimTemplate": data}, {"cdrom": cdrom}]


def _networks(number: int) -> list[dict[str, Any]]:
    address = f"02:16:3e:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
    return [{"tap": {"mac": address}}, {"user": {}}]


def _a_status(number: int, *, running: bool, used: bool) -> dict[str, Any]:
    """Give a VM's status as its runner writes it; one that was used was left at a moment of its own, a hundred on each day."""
    left = f"2026-01-{10 + number // USED_A_DAY % 5}T15:{number // 60 % 60:02}:{number % 60:02}Z"
    on = OF_A_RUN if running else ()
    conditions = [
        *(_a_condition(each, BEGAN if running else left, on=each in on) for each in OF_A_RUN),
        _a_condition("UserLoggedIn", BEGAN, on=False),
        _a_condition("ConsoleConnected", left if used else "1970-01-01T00:00:00Z", on=False),
    ]
    run = {"runnerVersion": "4.2.0", "cpus": 2, "ram": str(2 << 30)} if running else {}
    return {**run, "osinfo": {"id": "debian", "pretty-name": "Debian GNU/Linux 13 (trixie)"}, "conditions": conditions}


def _a_condition(type_: str, since: str, *, on: bool) -> dict[str, Any]:
    reason = "VmRunning" if on else "Disconnected"
    return {
        "type": type_,
        "status": str(on),
        "observedGeneration": 1,
        "lastTransitionTime": since,
        "reason": reason,
        "message": "",
    }
