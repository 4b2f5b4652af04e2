"""What the API server says of pools and VMs, decoded as far as it is used, and read into values of the domain.

The decoder passes over every field that is not named here: of an object's kilobytes most are managed fields and what only
VM-Operator reads. What does not even have the shape that is named here is read as it is, by the same reader.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypedDict

import msgspec

from vmpool_ext.backends import resources
from vmpool_ext.backends.kubernetes import notes
from vmpool_ext.domain.machine import RequestedState
from vmpool_ext.domain.pool import EndAction
from vmpool_ext.domain.retention import RetainForever

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vmpool_ext.domain.machine import VirtualMachine
    from vmpool_ext.domain.pool import Pool

SPICE = "spice"
"""The one engine that VM-Operator's VMs offer their display by."""


NO_TICKETING = -1
"""The serial of a display that asks for no password: the secret was not there when its runner began."""


class _Metadata(TypedDict, total=False):
    name: str
    uid: str
    resourceVersion: str
    annotations: dict[str, str]
    deletionTimestamp: str


class _Condition(TypedDict, total=False):
    type: str
    status: str
    reason: str
    message: str
    lastTransitionTime: str


class _Spice(TypedDict, total=False):
    port: int
    server: str
    proxyUrl: str
    generateSecret: bool


class _Display(TypedDict, total=False):
    loggedInUser: str
    spice: _Spice


class _Machine(TypedDict, total=False):
    state: str
    display: _Display


class _Assigned(TypedDict, total=False):
    pool: str
    user: str
    lastUsed: str


_OsInfo = TypedDict("_OsInfo", {"pretty-name": str}, total=False)


class _VmSpec(TypedDict, total=False):
    pools: list[str]
    permissions: list[Any]
    vm: _Machine


class _VmStatus(TypedDict, total=False):
    runnerVersion: str
    consoleUser: str
    loggedInUser: str
    displayPasswordSerial: int
    osinfo: _OsInfo
    assignment: _Assigned
    conditions: list[_Condition]


class VmResource(TypedDict, total=False):
    """A VirtualMachine's fields that are used."""

    metadata: _Metadata
    spec: _VmSpec
    status: _VmStatus


class _VersionOnly(msgspec.Struct, rename="camel"):
    resource_version: str


class _Written(msgspec.Struct):
    metadata: _VersionOnly


_VERSIONS = msgspec.json.Decoder(_Written)
_VMS = msgspec.json.Decoder(VmResource)
_ANY = msgspec.json.Decoder(dict[str, Any])


def decode_vm(data: bytes | msgspec.Raw) -> Mapping[str, Any]:
    """Give the fields that are used, or all where some are not what they should be."""
    try:
        return _VMS.decode(data)
    except msgspec.ValidationError:
        return _ANY.decode(data)


def decode(data: bytes | msgspec.Raw) -> Mapping[str, Any]:
    """Give all."""
    return _ANY.decode(data)


def version_of(resource: Mapping[str, Any]) -> int:
    """Read what tells later from earlier: resource versions of one kind are numbers that grow (KEP-5504)."""
    return int(resource["metadata"]["resourceVersion"])


def version_in(answer: bytes) -> int:
    """Read the version in an answer of which nothing else is wanted."""
    return int(_VERSIONS.decode(answer).metadata.resource_version)


def vm_of(resource: Mapping[str, Any]) -> VirtualMachine:
    """Read a VM."""
    vm = resources.vm_from_resource(resource, version_of(resource), display=SPICE, restarts_for_reset=True)
    if serial_of(resource) == NO_TICKETING and vm.pools:
        # What tells users of a pool where a display is that asks for no password would open it for ever.
        vm = replace(vm, reachable=False)
    return _as_noted(vm, resource) if notes.are_on(resource) else vm


def _as_noted(vm: VirtualMachine, resource: Mapping[str, Any]) -> VirtualMachine:
    """Read what our own annotations say of it."""
    return replace(
        vm,
        requested=RequestedState.RUNNING if notes.is_restarting(vm) else vm.requested,
        # Nobody but VM-Operator has its disks made anew.
        disk_user=None,
        discarding=False,
        user_logged_in=notes.told_of_login(resource, vm.user_logged_in),
    )


def read_vm(data: bytes | msgspec.Raw) -> VirtualMachine:
    """Read a VM from what the API server says."""
    return vm_of(decode_vm(data))


@dataclass(frozen=True, slots=True)
class TicketSerial:
    """How often the runner has told QEMU another password for a VM's display."""

    name: str
    version: int
    serial: int


def read_serial(data: bytes | msgspec.Raw) -> TicketSerial:
    """Read of a VM only that."""
    resource = decode_vm(data)
    return TicketSerial(resource["metadata"]["name"], version_of(resource), serial_of(resource))


def serial_of(resource: Mapping[str, Any]) -> int:
    """Read it from a resource."""
    status = resource.get("status")
    serial = status.get("displayPasswordSerial") if isinstance(status, dict) else None
    return serial if isinstance(serial, int) else 0


def read_pool(data: bytes | msgspec.Raw) -> Pool:
    """Read a pool from what the API server says."""
    return pool_of(decode(data))


def pool_of(resource: Mapping[str, Any]) -> Pool:
    """Read a pool."""
    pool = resources.pool_from_resource(resource, version_of(resource))
    if pool.end_action is not EndAction.DISCARD or pool.misconfigured:
        return pool
    wrong = "The end action discard is not to be had on Kubernetes: only VM-Operator could make disks anew."
    return replace(pool, misconfigured=wrong, retention=RetainForever())
