"""Which VMs have which defect, kept so that nobody ever looks at all VMs to find out."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from sortedcontainers import SortedDict, SortedSet

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from vmpool_ext.domain.defects import Defect

NAMED = 5
"""VMs; of more of them the number is told."""


@dataclass(frozen=True, slots=True)
class Found:
    """A defect, the first VMs that have it, by name, and how many more do."""

    defect: Defect
    vms: tuple[str, ...]
    more: int


class Defects:
    """By VM and by defect; healthy VMs take no place."""

    def __init__(self) -> None:
        self._of: dict[str, frozenset[Defect]] = {}
        self._with: SortedDict[Defect, SortedSet[str]] = SortedDict(lambda defect: defect.place)

    def put(self, vm: str, defects: Collection[Defect]) -> None:
        """Note what is wrong with a VM now, in place of what was."""
        if vm in self._of:
            self.drop(vm)
        if defects:
            self._of[vm] = frozenset(defects)
            for defect in self._of[vm]:
                self._with.setdefault(defect, SortedSet()).add(vm)

    def drop(self, vm: str) -> None:
        """Forget a VM; one that is not known is no mistake."""
        for defect in self._of.pop(vm, ()):
            self._with[defect].discard(vm)
            if not self._with[defect]:
                del self._with[defect]

    def found(self) -> Iterator[Found]:
        """Tell of each defect, the worst first."""
        for defect, vms in self._with.items():
            yield Found(defect, tuple(islice(vms, NAMED)), max(0, len(vms) - NAMED))
