"""Where a VM is asked about: by the pool that it is yours from, or by its own name where a grant on it is yours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from vmpool_ext.client.errors import NothingAssigned, PoolNotFound, VmNotFound
from vmpool_ext.client.link import Request
from vmpool_ext.client.views import read_pool, read_vm

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vmpool_ext.client.views import VmFacts

_NO_NAMES = ("", ".", "..")
"""What would be read as a step to another address, encoded or not."""


class Place(Protocol):
    """Where one VM is asked about."""

    @property
    def vm(self) -> str:
        """Its name."""
        ...

    def look(self) -> Request:
        """Ask how the VM is."""
        ...

    def act(self, action: str) -> Request:
        """Ask for something to be done with it."""
        ...

    def seen(self, told: Mapping[str, Any]) -> VmFacts:
        """Find the VM in the answer to a look; raise if it is not there any more."""
        ...

    def done(self, told: Mapping[str, Any]) -> VmFacts:
        """Find the VM in the answer to an act."""
        ...


@dataclass(frozen=True, slots=True)
class OfPool:
    """A VM that is yours by a pool."""

    pool: str
    vm: str

    def look(self) -> Request:
        """Ask how the pool is, with the VM in it."""
        return look_at_pool(self.pool)

    def act(self, action: str) -> Request:
        """Ask for something to be done with whichever VM of the pool is yours."""
        return act_on_pool(self.pool, action)

    def seen(self, told: Mapping[str, Any]) -> VmFacts:
        """Give the VM; another one that is yours by now is not meant."""
        _, vm = read_pool(told)
        if vm is None or vm.name != self.vm:
            message = f'The VM "{self.vm}" is not yours any more; pool("{self.pool}").start() gives you one.'
            raise NothingAssigned(NothingAssigned.kind, message)
        return vm

    done = seen


@dataclass(frozen=True, slots=True)
class ByGrant:
    """A VM with a grant of its own for you."""

    vm: str

    def look(self) -> Request:
        """Ask how all such VMs are."""
        return Request("GET", "vms")

    def act(self, action: str) -> Request:
        """Ask for something to be done with the VM."""
        if self.vm in _NO_NAMES:
            raise _no_vm(self.vm)
        return Request("POST", f"vms/{quote(self.vm, safe='')}/{action}")

    def seen(self, told: Mapping[str, Any]) -> VmFacts:
        """Give the VM, if the grant is still there."""
        for each in told["vms"]:
            if each["name"] == self.vm:
                return read_vm(each)
        raise _no_vm(self.vm)

    def done(self, told: Mapping[str, Any]) -> VmFacts:
        """Give the VM."""
        return read_vm(told)


def look_at_pool(name: str) -> Request:
    """Ask how a pool is."""
    return Request("GET", _pool(name))


def act_on_pool(name: str, action: str) -> Request:
    """Ask for something to be done with a pool."""
    return Request("POST", f"{_pool(name)}/{action}")


def _pool(name: str) -> str:
    if name in _NO_NAMES:
        raise PoolNotFound(PoolNotFound.kind, f'There is no pool "{name}".')
    return f"pools/{quote(name, safe='')}"


def _no_vm(name: str) -> VmNotFound:
    return VmNotFound(VmNotFound.kind, f'There is no VM "{name}".')
