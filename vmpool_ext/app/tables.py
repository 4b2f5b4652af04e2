"""Resources as ``jupyter vmpool get`` prints them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from vmpool_ext.backends.manifests.violations import printable
from vmpool_ext.backends.manifests.writing import write
from vmpool_ext.backends.resources import POOL_KIND, VM_KIND, parse_time, pool_from_resource, vm_from_resource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from vmpool_ext.backends.resources import Resource

    Column = Callable[[Resource, datetime], str]

_NOTHING = "-"


def as_yaml(resources: Sequence[Resource], *, one: bool) -> str:
    """Write what can be applied again."""
    return write(_whole(resources, one=one)).rstrip()


def as_json(resources: Sequence[Resource], *, one: bool) -> str:
    """Write the same in JSON."""
    return json.dumps(_whole(resources, one=one), indent=4)


def as_names(resources: Sequence[Resource]) -> str:
    """Write a name a line, as `delete` takes it."""
    return "\n".join(full_name(each["kind"], each["metadata"]["name"]) for each in resources)


def as_tables(resources: Sequence[Resource], now: datetime, *, wide: bool) -> str:
    """Write a table for each kind."""
    tables = []
    for kind, columns in _COLUMNS.items():
        shown = {**columns, **(_WIDE[kind] if wide else {}), "AGE": _age}
        rows = [[column(each, now) for column in shown.values()] for each in resources if each["kind"] == kind]
        if rows:
            tables.append(_table([list(shown), *rows]))
    return "\n\n".join(tables) or "There are no resources."


def full_name(kind: str, name: str) -> str:
    """Name a resource as kubectl does.

    >>> full_name("VmPool", "win11")
    'vmpool/win11'
    """
    return f"{kind.lower()}/{name}"


def _whole(resources: Sequence[Resource], *, one: bool) -> Resource:
    if one and len(resources) == 1:
        return resources[0]
    return {"apiVersion": "v1", "kind": "List", "items": list(resources)}


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = ["   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def _cell(value: Any) -> str:
    return printable(str(value)) if value else _NOTHING


def _age(resource: Resource, now: datetime) -> str:
    seconds = int((now - parse_time(resource["metadata"].get("creationTimestamp"))).total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{max(seconds, 0)}s"


def _name(resource: Resource, _: datetime) -> str:
    return _cell(resource["metadata"]["name"])


def _of_pool(read: Callable[[Any], Any]) -> Column:
    return lambda resource, _: _cell(read(pool_from_resource(resource, 0)))


def _of_vm(read: Callable[[Any], Any]) -> Column:
    return lambda resource, _: _cell(read(vm_from_resource(resource, 0)))


def _size(resource: Resource, _: datetime) -> str:
    vm = resource.get("spec", {}).get("vm", {})
    return _cell(vm.get("currentRam") or vm.get("maximumRam"))


_COLUMNS: dict[str, dict[str, Column]] = {
    POOL_KIND: {
        "NAME": _name,
        "RETENTION": _of_pool(lambda pool: pool.retention_text),
        "GRANTS": _of_pool(lambda pool: len(pool.grants)),
    },
    VM_KIND: {
        "NAME": _name,
        "POOLS": _of_vm(lambda vm: ",".join(sorted(vm.pools))),
        "STATE": _of_vm(lambda vm: "being deleted" if vm.being_deleted else vm.state),
        "USER": _of_vm(lambda vm: vm.assignment and vm.assignment.user),
    },
}
_WIDE: dict[str, dict[str, Column]] = {
    POOL_KIND: {"PROBLEM": _of_pool(lambda pool: pool.misconfigured)},
    VM_KIND: {
        "RAM": _size,
        "OS": _of_vm(lambda vm: vm.os),
        "CONSOLE": _of_vm(lambda vm: "open" if vm.console_open else None),
        "PROBLEM": _of_vm(lambda vm: vm.running.message if vm.start_failed else None),
    },
}
