"""What an administrator does to pools and VMs: apply, get and delete, by requests that can be sent as JSON."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any

from vmpool_ext.backends.manifests.reading import Manifest
from vmpool_ext.backends.qemu import definitions
from vmpool_ext.backends.qemu.checks import require_valid
from vmpool_ext.backends.qemu.store import Everything, Stored
from vmpool_ext.backends.resources import VM_KIND, time_text
from vmpool_ext.domain.errors import InvalidDefinition, PoolNotFound, VmNotFound

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from vmpool_ext.backends.qemu.ledger import Ledger
    from vmpool_ext.backends.resources import Resource
    from vmpool_ext.broker.ports import Clock

    Request = Mapping[str, Any]
    Answer = dict[str, Any]

CREATED, CONFIGURED, UNCHANGED = "created", "configured", "unchanged"
DELETED, BEING_DELETED = "deleted", "being deleted"


def to_apply(resources: Iterable[Resource]) -> Request:
    """Ask to define these, all or none."""
    return {"do": "apply", "resources": list(resources)}


def to_get(kind: str | None = None, name: str | None = None) -> Request:
    """Ask for all resources, those of a kind, or one."""
    return {"do": "get", "kind": kind, "name": name}


def to_delete(names: Iterable[tuple[str, str]], *, ignore_missing: bool, wait: bool) -> Request:
    """Ask to remove these, all or none; with `wait`, to be told when the last one is gone."""
    return {"do": "delete", "names": [list(each) for each in names], "ignoreMissing": ignore_missing, "wait": wait}


def done(kind: str, name: str, what: str) -> Answer:
    """Tell what was done to a resource."""
    return {"kind": kind, "name": name, "done": what}


class Administration:
    """Does what is asked for to a ledger."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    def answer(self, request: Request) -> AsyncGenerator[Answer, None]:
        """Do it, and tell of each resource; `InvalidDefinition` for what is no request."""
        with suppress(KeyError, TypeError, ValueError):
            what = request["do"]
            if what == "apply":
                return self._apply([dict(each) for each in request["resources"]])
            if what == "get":
                return self._get(request["kind"], request["name"])
            if what == "delete":
                names = [(kind, name) for kind, name in request["names"]]
                return self._delete(names, ignore_missing=request["ignoreMissing"], wait=request["wait"])
        message = "This is not a request that is known here: use the same version of vmpool-ext on both sides."
        raise InvalidDefinition(message)

    async def _apply(self, resources: Sequence[Resource]) -> AsyncGenerator[Answer, None]:
        manifests = [Manifest(f"resource {number}", each) for number, each in enumerate(resources, 1)]
        await asyncio.to_thread(require_valid, manifests)
        applying = _Applying(self._clock.now())
        await self._ledger.write_all([(*definitions.kind_and_name(each), applying.change(each)) for each in resources])
        for each in applying.done:
            yield each

    async def _get(self, kind: str | None, name: str | None) -> AsyncGenerator[Answer, None]:
        everything = await self._ledger.everything()
        found = [each.resource for each in everything.resources if _is_asked_for(each.kind, each.name, kind, name)]
        if name is not None and not found:
            raise _not_found(kind, name)
        for resource in found:
            yield dict(resource or {})

    async def _delete(
        self, names: Sequence[tuple[str, str]], *, ignore_missing: bool, wait: bool
    ) -> AsyncGenerator[Answer, None]:
        deleting = _Deleting(time_text(self._clock.now()), ignore_missing=ignore_missing)
        await self._ledger.write_all([(*each, deleting.change(*each)) for each in names])
        for each in deleting.done:
            yield each
        going = {each["name"] for each in deleting.done if each["done"] == BEING_DELETED}
        if wait and going:
            async for name in self._gone(going):
                yield done(VM_KIND, name, DELETED)

    async def _gone(self, vms: set[str]) -> AsyncGenerator[str, None]:
        """Tell the name of each VM when it is gone, until all are."""
        async with aclosing(self._ledger.watch()) as changes:
            async for change in changes:
                for name in sorted(_gone_by(change, vms)):
                    vms.discard(name)
                    yield name
                if not vms:
                    return


class _Applying:
    """Defines resources and remembers what that was to each."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self.done: list[Answer] = []

    def change(self, definition: Resource) -> Callable[[Resource | None], Resource]:
        def change(old: Resource | None) -> Resource:
            new = definitions.applied(old, definition, self._now)
            what = CREATED if old is None else UNCHANGED if new == old else CONFIGURED
            self.done.append(done(new["kind"], new["metadata"]["name"], what))
            return new

        return change


class _Deleting:
    """Removes pools at once, and marks VMs for their followers to shut down and remove."""

    def __init__(self, now: str, *, ignore_missing: bool) -> None:
        self._now = now
        self._ignore_missing = ignore_missing
        self.done: list[Answer] = []

    def change(self, kind: str, name: str) -> Callable[[Resource | None], Resource | None]:
        def change(old: Resource | None) -> Resource | None:
            if old is None:
                if not self._ignore_missing:
                    raise _not_found(kind, name)
                return None
            self.done.append(done(kind, name, BEING_DELETED if kind == VM_KIND else DELETED))
            return definitions.being_deleted(old, self._now) if kind == VM_KIND else None

        return change


def _is_asked_for(kind: str, name: str, wanted_kind: str | None, wanted_name: str | None) -> bool:
    return wanted_kind in (None, kind) and wanted_name in (None, name)


def _not_found(kind: str | None, name: str) -> PoolNotFound | VmNotFound:
    return VmNotFound(name) if kind == VM_KIND else PoolNotFound(name)


def _gone_by(change: Any, vms: set[str]) -> set[str]:
    if isinstance(change, Everything):
        return vms - {each.name for each in change.resources if each.kind == VM_KIND}
    gone = isinstance(change, Stored) and change.kind == VM_KIND and change.resource is None
    return vms & {change.name} if gone else set()
