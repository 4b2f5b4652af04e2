"""Tickets for consoles: shown once, within ten seconds, by whom they were given to."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from vmpool_ext.domain.errors import InvalidTicket

if TYPE_CHECKING:
    from datetime import datetime

    from vmpool_ext.broker.ports import Clock
    from vmpool_ext.domain.user import User

TICKET_LIFE = timedelta(seconds=10)
_BYTES = 32


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a ticket was issued for."""

    user: str
    vm: str
    pool: str | None
    """The pool by which the VM is the user's; None for a grant on the VM itself."""
    expires_at: datetime


class Tickets:
    """Those that were issued and not shown yet."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._issued: dict[str, Ticket] = {}

    def issue(self, user: User, vm: str, pool: str | None) -> tuple[str, Ticket]:
        """Make a ticket for one console of one user."""
        self._purge()
        text = secrets.token_urlsafe(_BYTES)
        ticket = Ticket(user.name, vm, pool, self._clock.now() + TICKET_LIFE)
        self._issued[text] = ticket
        return text, ticket

    def redeem(self, text: str, user: User, vm: str) -> Ticket:
        """Use a ticket up, whether or not it is good; raise `InvalidTicket` if it is not."""
        ticket = self._issued.pop(text, None)
        if ticket is None or (ticket.user, ticket.vm) != (user.name, vm) or ticket.expires_at <= self._clock.now():
            raise InvalidTicket
        return ticket

    def _purge(self) -> None:
        now = self._clock.now()
        self._issued = {text: ticket for text, ticket in self._issued.items() if ticket.expires_at > now}
