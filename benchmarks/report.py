"""Tables in Markdown, printed or put between their marks in a page."""

from __future__ import annotations

import os
import platform
import re
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from vmpool_ext.backends.qemu.guest_image import default_cache

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
SYNCS = 100


@dataclass(frozen=True, slots=True)
class Table:
    """What one benchmark has found; ``name`` is that of its marks in the page."""

    name: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __str__(self) -> str:
        """Write it as Markdown: words to the left, figures to the right."""
        words = [all(not _is_figure(row[column]) for row in self.rows) for column in range(len(self.header))]
        rule = ["---" if word else "---:" for word in words]
        return "\n".join(f"| {' | '.join(row)} |" for row in (self.header, rule, *self.rows))


def holds(value: float, target: float) -> str:
    """Tell whether a figure stays within its target."""
    return "yes" if value <= target else "**no**"


def conditions() -> Table:
    """Tell on what machine, and how busy it was with other things."""
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    rows = [
        ("CPUs", f"{os.cpu_count()} x {_cpu()}"),
        ("system", f"Linux {platform.release()}, {platform.machine()}"),
        ("Python", platform.python_version()),
        ("load average before", load),
        ("a sync of the disk", f"{_sync() * 1e3:.2f} ms"),
    ]
    return Table("conditions", ("machine", ""), rows)


def put_into_page(table: Table, page: Path = PAGE) -> None:
    """Put the table between its marks, in place of the one before."""
    text = page.read_text(encoding="utf-8")
    marks = re.compile(rf"(<!-- {table.name} -->\n).*?(<!-- /{table.name} -->)", re.DOTALL)
    new, found = marks.subn(lambda marked: f"{marked[1]}\n{table}\n\n{marked[2]}", text)
    if not found:
        message = f"{page} has no marks for the table {table.name}: write <!-- {table.name} --> and its end."
        raise LookupError(message)
    page.write_text(new, encoding="utf-8")


def _is_figure(text: str) -> bool:
    return text[:1].isdigit() or text[:2].lstrip("-")[:1].isdigit()


def _sync() -> float:
    """Tell in seconds what every write with `synchronous = FULL` waits for."""
    took = []
    with NamedTemporaryFile(dir=default_cache().parent) as file:
        for _ in range(SYNCS):
            os.write(file.fileno(), bytes(4096))
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    return median(took)


def _cpu() -> str:
    models = re.findall(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    return models[0] if models else platform.machine()
