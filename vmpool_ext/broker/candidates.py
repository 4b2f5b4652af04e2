"""The VMs of one pool that may be given away, best first, without ever looking at all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sortedcontainers import SortedDict

from vmpool_ext.domain.assignment import Place, warm_first
from vmpool_ext.domain.machine import NEVER
from vmpool_ext.domain.retention import END_OF_TIME

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from vmpool_ext.domain.machine import VirtualMachine

    Prefer = Callable[[VirtualMachine], Place]


class Candidates:
    """Two orders: by the moment from which on a VM is assignable, and, once that has come, by preference.

    Every operation costs O(log n); each VM passes from the first order to the second at most once per change of it,
    and back only when the clock is set back: what had ended by a wrong time has not ended.
    """

    def __init__(self, prefer: Prefer = warm_first) -> None:
        self._prefer = prefer
        self._moments: dict[str, datetime] = {}
        self._places: dict[str, Place] = {}
        self._kept: SortedDict[tuple[datetime, str], VirtualMachine] = SortedDict()
        self._free: SortedDict[Place, VirtualMachine] = SortedDict()
        self._unassigned: SortedDict[Place, VirtualMachine] = SortedDict()
        self._passed = NEVER

    def put(self, vm: VirtualMachine, assignable_from: datetime) -> None:
        """Take in a VM as it is now, in place of what was known of it."""
        self.drop(vm.name)
        if assignable_from < END_OF_TIME:
            self._moments[vm.name] = assignable_from
            self._kept[assignable_from, vm.name] = vm

    def drop(self, name: str) -> None:
        """Forget a VM; one that is not known is no mistake."""
        moment = self._moments.pop(name, None)
        if name in self._places:
            self._take_from_free(name)
        elif moment is not None:
            del self._kept[moment, name]

    def best(self, now: datetime) -> VirtualMachine | None:
        """Tell which VM is to be given away next."""
        self._pass_on(now)
        return self._free.peekitem(0)[1] if self._free else None

    def best_unassigned(self, now: datetime) -> VirtualMachine | None:
        """Tell which VM is to be given away next of those that are nobody's, whatever time it is."""
        self._pass_on(now)
        return self._unassigned.peekitem(0)[1] if self._unassigned else None

    def count(self, now: datetime) -> int:
        """Tell how many VMs could be given away."""
        self._pass_on(now)
        return len(self._free)

    def next_moment(self, now: datetime) -> datetime:
        """Tell when the next VM becomes assignable just by the passing of time."""
        self._pass_on(now)
        return self._kept.peekitem(0)[0][0] if self._kept else END_OF_TIME

    def _pass_on(self, now: datetime) -> None:
        if now < self._passed:
            self._take_back(now)
        self._passed = now
        while self._kept and self._kept.peekitem(0)[0][0] <= now:
            (_, name), vm = self._kept.popitem(0)
            place = self._prefer(vm)
            self._places[name] = place
            self._free[place] = vm
            if vm.assignment is None:
                self._unassigned[place] = vm

    def _take_back(self, now: datetime) -> None:
        for name in [name for name in self._places if self._moments[name] > now]:
            self._kept[self._moments[name], name] = self._take_from_free(name)

    def _take_from_free(self, name: str) -> VirtualMachine:
        place = self._places.pop(name)
        self._unassigned.pop(place, None)
        return self._free.pop(place)
