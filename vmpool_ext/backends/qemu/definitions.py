"""What becomes of a resource when its definition is applied: pure."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from vmpool_ext.backends.qemu.store import check_name
from vmpool_ext.backends.resources import (
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
    before: Resource = old or {"metadata": {"generation": 0, "creationTimestamp": time_text(now)}}
    if new["kind"] == VM_KIND and not _says_state(new):
        new = with_requested_state(new, requested_state(before))
    generation = before["metadata"]["generation"] + (new.get("spec") != before.get("spec"))
    created = before["metadata"]["creationTimestamp"]
    new["metadata"] = {**new["metadata"], "generation": max(generation, 1), "creationTimestamp": created}
    if new["kind"] == VM_KIND:
        new["status"] = with_status_defaults(before.get("status") or {})
    return new


def _says_state(definition: Resource) -> bool:
    spec = definition.get("spec")
    vm = spec.get("vm") if isinstance(spec, dict) else None
    return isinstance(vm, dict) and "state" in vm
