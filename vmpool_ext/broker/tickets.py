"""Tickets for consoles: good for one console, within ten seconds, for whom they were given to."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from vmpool_ext.domain.errors import InvalidTicket

if TYPE_CHECKING:
    from datetime import datetime

    from vmpool_ext.broker.ports import Clock
    from vmpool_ext.domain.user import User

TICKET_LIFE = timedelta(seconds=10)
_BYTES = 32

SOCKETS = {"vnc": 1, "spice": 4}
"""How many connections one console is: SPICE has one each for the session, the screen, keys and mouse, and the pointer.

What else a SPICE server offers, sound for one, has no place in a tab.
"""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a ticket was issued for."""

    user: str
    vm: str
    pool: str | None
    """The pool by which the VM is the user's; None for a grant on the VM itself."""
    engine: str
    expires_at: datetime
    sockets: int
    """How many it opens still."""


class Tickets:
    """Those that were issued and open something still."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._issued: dict[str, Ticket] = {}

    def issue(self, user: User, vm: str, pool: str | None, engine: str) -> tuple[str, Ticket]:
        """Make a ticket for one console of one user."""
        self._purge()
        text = secrets.token_urlsafe(_BYTES)
        ticket = Ticket(user.name, vm, pool, engine, self._clock.now() + TICKET_LIFE, SOCKETS[engine])
        self._issued[text] = ticket
        return text, ticket

    def redeem(self, text: str, user: User, vm: str, engine: str | None) -> Ticket:
        """Open a socket with a ticket; raise `InvalidTicket` if it is not good for it: then it is good for nothing more."""
        ticket = self._issued.pop(text, None)
        given = (user.name, vm, engine)
        if ticket is None or (ticket.user, ticket.vm, ticket.engine) != given or ticket.expires_at <= self._clock.now():
            raise InvalidTicket
        if ticket.sockets > 1:
            self._issued[text] = replace(ticket, sockets=ticket.sockets - 1)
        return ticket

    def _purge(self) -> None:
        now = self._clock.now()
        self._issued = {text: ticket for text, ticket in self._issued.items() if ticket.expires_at > now}
