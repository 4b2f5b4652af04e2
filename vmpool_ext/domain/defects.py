"""What is wrong with how a VM is written down: it hurts nobody else, and administrators are told."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Wrong(StrEnum):
    """The kinds, those first that keep the VM from its users."""

    NO_SPEC = "no-spec"
    PARTIAL_ASSIGNMENT = "partial-assignment"
    ASSIGNMENT_TIME = "assignment-time"
    NO_POOL = "no-pool"
    GRANT = "grant"
    CONDITION_TIME = "condition-time"
    CONDITION_STATUS = "condition-status"
    UNKNOWN_CONDITION = "unknown-condition"


_SENTENCES = {
    Wrong.NO_SPEC: "The definition has no spec, so it is in no pool and cannot run. Mend it, or delete it.",
    Wrong.PARTIAL_ASSIGNMENT: "The assignment lacks {}, on which VM-Operator's manager fails. Nobody else is given the VM until "
    "status.assignment has all of pool, user and lastUsed, or none.",
    Wrong.ASSIGNMENT_TIME: "The assignment's lastUsed is no time, so when it ends is not known. Nobody else is given the VM "
    "until its user presses Start or gives it back, or status.assignment is mended.",
    Wrong.NO_POOL: 'There is no pool "{}", which the definition or the assignment names.',
    Wrong.GRANT: "A permission cannot be read and grants nothing: {}",
    Wrong.CONDITION_TIME: 'When the condition "{}" has changed is no time; it counts as never.',
    Wrong.CONDITION_STATUS: 'The condition "{}" is neither True nor False nor Unknown; it counts as False.',
    Wrong.UNKNOWN_CONDITION: 'The condition "{}" is not known here, and passed over.',
}
_ORDER = {kind: place for place, kind in enumerate(Wrong)}
_HOLDING = frozenset({Wrong.PARTIAL_ASSIGNMENT, Wrong.ASSIGNMENT_TIME})
_LONGEST = 128
"""Characters of what somebody wrote that are passed on."""


class Defect(NamedTuple):
    """One thing that is wrong: equal ones of many VMs are told of together."""

    kind: Wrong
    detail: str = ""

    @property
    def place(self) -> tuple[int, str]:
        """Where it is told of among others."""
        return _ORDER[self.kind], self.detail

    @property
    def holds(self) -> bool:
        """Whether it hides whose the VM is, or until when: so it stays with whoever may have it (R2)."""
        return self.kind in _HOLDING

    def __str__(self) -> str:
        """Tell what it is, what comes of it, and what would mend it.

        >>> print(Defect(Wrong.NO_POOL, "win12"))
        There is no pool "win12", which the definition or the assignment names.
        """
        return _SENTENCES[self.kind].format(self.detail[:_LONGEST])
