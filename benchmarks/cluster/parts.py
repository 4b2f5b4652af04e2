"""All that is measured of a cluster, one part after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.cluster import many, sizes, starts
from benchmarks.cluster.effort import FULL
from benchmarks.cluster.place import a_cluster

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.cluster.effort import Effort
    from benchmarks.report import Table

PARTS = {"starts": starts.tables, "many": many.tables, "sizes": sizes.tables}


def tables(effort: Effort = FULL, parts: Iterable[str] = PARTS) -> Iterable[Table]:
    """Measure; each part has a cluster of its own, in which nothing is left of another's."""
    for part in parts:
        with a_cluster() as plane:
            yield from PARTS[part](plane, effort)
