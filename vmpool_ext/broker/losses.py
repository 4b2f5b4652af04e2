"""Assignments that were written and then undone by a writer who did not look: noticed, and told to their users.

VM-Operator's manager and runners write whole statuses without a condition, from a copy that may be older than our
assignment. Nobody can keep them from it; but nobody should wonder where their VM went. Only what is lost soon after it was
written is told of: later, it was given back elsewhere, or its time was over.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from vmpool_ext.domain.retention import END_OF_TIME

if TYPE_CHECKING:
    from datetime import datetime

    from vmpool_ext.broker.inventory import Inventory
    from vmpool_ext.broker.ports import Clock
    from vmpool_ext.domain.machine import VirtualMachine

audit = logging.getLogger("vmpool_ext.audit")

OVERWRITTEN_WITHIN = timedelta(seconds=30)
"""Whoever writes from an older copy does so within moments."""

TOLD_FOR = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Loss:
    """A VM that was a user's for moments."""

    pool: str
    vm: str
    until: datetime
    """For how long it is told."""


class Losses:
    """What was given a moment ago, and what of that was lost."""

    def __init__(self, inventory: Inventory, clock: Clock) -> None:
        self._inventory = inventory
        self._clock = clock
        self._given: dict[tuple[str, str], tuple[str, datetime]] = {}
        self._lost: dict[tuple[str, str], Loss] = {}

    def given(self, vm: VirtualMachine) -> None:
        """Note that a VM was assigned to somebody just now."""
        if held := vm.assignment:
            self._given[held.pool, held.user] = vm.name, self._clock.now()
            self._lost.pop((held.pool, held.user), None)

    def given_back(self, pool: str, user: str) -> None:
        """Note that the assignment is ended by us."""
        self._given.pop((pool, user), None)

    def of(self, user: str) -> list[Loss]:
        """Give what the user has lost and not been given anew."""
        self._look()
        return [loss for (_, name), loss in self._lost.items() if name == user]

    def next_moment(self) -> datetime:
        """Tell when the passing of time ends what is told."""
        self._look()
        return min((loss.until for loss in self._lost.values()), default=END_OF_TIME)

    def _look(self) -> None:
        now = self._clock.now()
        for (pool, user), (name, since) in tuple(self._given.items()):
            if now > since + OVERWRITTEN_WITHIN:
                del self._given[pool, user]
            elif not self._inventory.assigned(pool, user):
                del self._given[pool, user]
                self._lost[pool, user] = Loss(pool, name, now + TOLD_FOR)
                audit.warning(
                    "vm %s: its assignment to %s from pool %s was overwritten by another writer", name, user, pool
                )
        self._lost = {key: loss for key, loss in self._lost.items() if loss.until > now}
