"""What was decided about a VM or a pool, and about whom: for administrators who ask later."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from vmpool_ext.domain.machine import VirtualMachine
    from vmpool_ext.domain.pool import Pool


class Outcome(StrEnum):
    """What it came to."""

    ASSIGNED = "Assigned"
    RELEASED = "Released"
    REFUSED = "Refused"


@dataclass(frozen=True, slots=True)
class Decision:
    """Names users, as only administrators read it; never a secret."""

    outcome: Outcome
    action: str
    """What was asked for or done: the API's verb."""
    about: VirtualMachine | Pool
    words: str
    at: datetime
