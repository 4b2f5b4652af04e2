"""Conditional writes, and what to think of one that was not answered.

A merge patch that holds the object's version is written only if the object is still as it was read: that is what decides
between two who want the same VM. One that was not answered may have been written, may be on its way still, or may be
lost: then the same is asked again, until it is known. For whoever it was that wrote, the second try then conflicts with
the first, and the object tells whose it is. It is never another VM that is tried while that is unknown.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vmpool_ext.backends.kubernetes.backoff import Backoff
from vmpool_ext.backends.kubernetes.errors import ApiError, Busy, Conflict, Lost, NotFound
from vmpool_ext.backends.kubernetes.objects import decode_vm, version_in, vm_of
from vmpool_ext.backends.kubernetes.telling import asking, unavailable
from vmpool_ext.domain.errors import AssignmentConflict, BackendUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vmpool_ext.backends.kubernetes.client import ApiClient
    from vmpool_ext.domain.machine import VirtualMachine

log = logging.getLogger(__name__)

TRIES = 5


class Writes:
    """Writes to the VMs of one namespace.

    Each is given what the patch says and, by name, what of the VM becomes which value by it. The VM that they return is the one
    that was read, with that: for it is written only if nothing else has changed.
    """

    def __init__(self, client: ApiClient, path: str) -> None:
        self._client = client
        self._path = path

    async def status(self, vm: VirtualMachine, status: Mapping[str, Any], **becomes: Any) -> VirtualMachine:
        """Change a part of the status; an assignment is written whole, or removed: nothing is wrong with it any more."""
        if "assignment" in becomes:
            becomes["defects"] = vm.lasting_defects
        return await self._write(vm, f"{self._path}/{vm.name}/status", {"status": status}, becomes)

    async def definition(
        self, vm: VirtualMachine, *, notes: Mapping[str, str | None] | None = None, state: str = "", **becomes: Any
    ) -> VirtualMachine:
        """Change annotations, or what is wanted of the VM, or both in one."""
        patch: dict[str, Any] = {"metadata": {"annotations": notes}} if notes else {}
        if state:
            patch["spec"] = {"vm": {"state": state}}
        return await self._write(vm, f"{self._path}/{vm.name}", patch, becomes)

    async def read(self, name: str) -> Mapping[str, Any]:
        """Read a VM as it is now; `AssignmentConflict` if it is gone."""
        try:
            with asking(NotFound):
                return decode_vm(await self._client.get(f"{self._path}/{name}"))
        except NotFound as error:
            raise AssignmentConflict(name) from error

    async def require_unchanged(self, vm: VirtualMachine) -> Mapping[str, Any]:
        """Read a VM; `AssignmentConflict` if it is not as it was read before."""
        resource = await self.read(vm.name)
        if vm_of(resource).version != vm.version:
            raise AssignmentConflict(vm.name)
        return resource

    async def _write(
        self, vm: VirtualMachine, path: str, patch: dict[str, Any], becomes: Mapping[str, Any]
    ) -> VirtualMachine:
        patch["metadata"] = {**patch.get("metadata", {}), "resourceVersion": str(vm.version)}
        backoff, in_doubt, last = Backoff(), False, ""
        for _ in range(TRIES):
            try:
                return replace(vm, version=version_in(await self._client.patch(path, patch)), **becomes)
            except (Conflict, NotFound) as error:
                if in_doubt and (written := await self._found(vm, becomes)):
                    return written
                raise AssignmentConflict(vm.name) from error
            except (Busy, Lost) as error:
                in_doubt = in_doubt or isinstance(error, Lost)
                last = str(error)
                log.warning("vm %s: %s", vm.name, error)
                await asyncio.sleep(max(error.retry_after, backoff.next()))
            except ApiError as error:
                raise unavailable(error) from error
        raise BackendUnavailable(last)

    async def _found(self, vm: VirtualMachine, becomes: Mapping[str, Any]) -> VirtualMachine | None:
        """Give the VM if what was to be written is written: by the try that was not answered.

        What is written may have been so before: once the VM is another user's, it is not for the one before that it is so.
        """
        now = vm_of(await self.read(vm.name))
        wanted = {"assignment": vm.assignment, **becomes}
        # What else is wrong with it may be others' doing since.
        wanted.pop("defects", None)
        return now if all(getattr(now, name) == value for name, value in wanted.items()) else None
