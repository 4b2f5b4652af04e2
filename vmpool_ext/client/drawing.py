"""How pools and VMs look in a notebook: tables in which nothing that a server says is taken for markup."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from vmpool_ext.client.views import PoolFacts, VmFacts


def table(rows: Sequence[Mapping[str, str]]) -> str:
    """Draw rows that have the same columns."""
    if not rows:
        return "<p>Nothing.</p>"
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in rows[0])
    lines = ("".join(f"<td>{escape(cell)}</td>" for cell in row.values()) for row in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def vm_cells(vm: VmFacts) -> dict[str, str]:
    """Say of a VM what its user wants to know."""
    return {
        "VM": vm.name,
        "state": vm.phase,
        "logged in": vm.logged_in_user or "",
        "kept until": local(vm.retained_until),
        "what went wrong": vm.fault.message if vm.fault else "",
    }


def pool_cells(pool: PoolFacts, vm: VmFacts | None) -> dict[str, str]:
    """Say of a pool what its user wants to know."""
    return {
        "pool": pool.name,
        "free": f"{pool.free} of {pool.total}",
        "retention": pool.retention,
        "your VM": f"{vm.name} ({vm.phase})" if vm else "",
        "kept until": local(vm.retained_until) if vm else "",
    }


def line(kind: str, name: str, cells: Mapping[str, str]) -> str:
    """Say the same in a line."""
    told = ", ".join(f"{column}: {cell}" for column, cell in list(cells.items())[1:] if cell)
    return f"<{kind} {name}: {told}>"


def local(moment: datetime | None) -> str:
    """Give a time as clocks here show it."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M}" if moment else ""
