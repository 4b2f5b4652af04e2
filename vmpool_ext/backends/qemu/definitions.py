"""What becomes of a resource when its definition is applied: pure."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from vmpool_ext.backends.manifests.schema import with_defaults
from vmpool_ext.backends.qemu.store import check_name
from vmpool_ext.backends.resources import (
    OWN_VM_ANNOTATIONS,
    POOL_KIND,
    VM_KIND,
    requested_state,
    time_text,
    with_requested_state,
    with_status_defaults,
)
from vmpool_ext.domain.errors import InvalidDefinition

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from vmpool_ext.backends.resources import Resource

_SAID = ("name", "namespace", "labels")
_KEPT = ("creationTimestamp", "deletionTimestamp")


def kind_and_name(definition: Mapping[str, Any]) -> tuple[str, str]:
    """Tell what a definition defines, or raise `InvalidDefinition`."""
    kind, metadata = definition.get("kind"), definition.get("metadata")
    if kind not in (POOL_KIND, VM_KIND):
        message = f'"{str(kind)[:32]}" cannot be defined here: only {POOL_KIND} and {VM_KIND}.'
        raise InvalidDefinition(message)
    return kind, check_name(metadata.get("name") if isinstance(metadata, dict) else None)


def applied(old: Resource | None, definition: Mapping[str, Any], now: datetime) -> Resource:
    """Give the resource as it is then: what happened to it stays, and it goes on running unless told otherwise."""
    new = deepcopy(dict(definition))
    new.pop("status", None)
    if new["kind"] == VM_KIND and not _says_state(new):
        new = with_requested_state(new, requested_state(old or {}))
    new = with_defaults(new)
    new["metadata"] = _metadata(old, new, now)
    if new["kind"] == VM_KIND:
        new["status"] = with_status_defaults((old or {}).get("status") or {})
    return new


def being_deleted(vm: Resource, now: str) -> Resource:
    """Note that the VM is to go, unless that was noted before."""
    return {**vm, "metadata": {"deletionTimestamp": now, **vm["metadata"]}}


def _metadata(old: Resource | None, new: Resource, now: datetime) -> Resource:
    """Keep what is not for a definition to say; a VM that is to go is not held back by being defined again."""
    said = {key: value for key, value in new["metadata"].items() if key in _SAID}
    before: Resource = old["metadata"] if old else {"generation": 0, "creationTimestamp": time_text(now)}
    kept = {key: before[key] for key in _KEPT if key in before}
    generation = before["generation"] + (old is None or new.get("spec") != old.get("spec"))
    annotations = _annotations(before.get("annotations") or {}, new["metadata"].get("annotations") or {})
    return {**said, **({"annotations": annotations} if annotations else {}), **kept, "generation": generation}


def _annotations(before: Resource, said: Resource) -> Resource:
    others = {name: text for name, text in said.items() if name not in OWN_VM_ANNOTATIONS}
    return {**others, **{name: before[name] for name in OWN_VM_ANNOTATIONS if name in before}}


def _says_state(definition: Resource) -> bool:
    spec = definition.get("spec")
    vm = spec.get("vm") if isinstance(spec, dict) else None
    return isinstance(vm, dict) and vm.get("state") is not None
