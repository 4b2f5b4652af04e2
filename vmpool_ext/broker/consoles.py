"""Opening consoles: whose session it is is noted first, then the display is offered, for one ticket.

A ticket is for a user, a VM, the pool or grant that makes it theirs, and an engine: it opens one VNC socket, or the
four sockets of a SPICE console. Each is held to what the ticket was issued for, when it opens and for as long as it is open.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vmpool_ext.broker.tickets import Tickets
from vmpool_ext.domain.connection_file import connection_file
from vmpool_ext.domain.console import is_assigned_to_another, others_are_connected

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from vmpool_ext.broker.acting import Acting, Look, Rule
    from vmpool_ext.broker.inventory import Inventory
    from vmpool_ext.broker.ports import Backend, Clock, Display, DisplayOffer
    from vmpool_ext.domain.connection_file import ConnectionFile
    from vmpool_ext.domain.errors import Refused
    from vmpool_ext.domain.machine import VirtualMachine
    from vmpool_ext.domain.user import User

    WhyNotLook = Callable[[User, str, str | None], Refused | None]

audit = logging.getLogger("vmpool_ext.audit")


@dataclass(frozen=True, slots=True)
class ConsoleOffer:
    """What opens a console within ten seconds: sockets of ours, or a file for virt-viewer."""

    vm: str
    engine: str
    ticket: str = field(repr=False)
    password: str = field(repr=False)
    expires_at: datetime
    file: ConnectionFile | None


@dataclass(frozen=True, slots=True)
class OpenConsole:
    """A display that its user is connected to, and what returns, with the reason, when they have to leave."""

    display: Display
    ended: Callable[[], Awaitable[Refused]]


class Consoles:
    """Offers and connects."""

    def __init__(self, backend: Backend, inventory: Inventory, clock: Clock, acting: Acting) -> None:
        self._backend = backend
        self._inventory = inventory
        self._acting = acting
        self._tickets = Tickets(clock)

    async def offer(self, user: User, look: Look, why_not: Rule, pool: str | None) -> ConsoleOffer:
        """Make the display accept the user; a ticket is for a pool's console, or for one by a grant on the VM."""
        offers: list[DisplayOffer] = []

        async def offer(vm: VirtualMachine) -> None:
            if others_are_connected(user, vm):
                await self._take_over(user, vm)
            offers.append(await self._backend.offer_display(await self._marked(user, vm), user))

        vm = await self._acting.on(look, why_not, offer)
        if is_assigned_to_another(user, vm):
            audit.warning("console of vm %s, which is another's, opened by %s", vm.name, user.name)
        return self._made(user, vm, pool, offers[-1])

    async def connect(self, user: User, vm_name: str, text: str, why_not_look: WhyNotLook) -> OpenConsole:
        """Connect the holder of a ticket to the display, if what the ticket was issued for still holds."""
        vm = self._inventory.vms.get(vm_name)
        ticket = self._tickets.redeem(text, user, vm_name, vm.display if vm else None)

        def refusal() -> Refused | None:
            return why_not_look(user, vm_name, ticket.pool)

        if refused := refusal():
            raise refused
        display = await self._backend.connect_display(self._inventory.vms[vm_name])
        return OpenConsole(display, lambda: self._inventory.first(refusal))

    async def _marked(self, user: User, vm: VirtualMachine) -> VirtualMachine:
        """Note whose session this run holds from now on; who just looks into another's VM has none there (R10)."""
        if vm.session_user is not None:
            return vm
        holder = vm.assignment.user if vm.assignment else user.name
        return await self._backend.mark_session(vm, holder)

    async def _take_over(self, user: User, vm: VirtualMachine) -> None:
        audit.warning("console of vm %s taken by %s from %s", vm.name, user.name, vm.console_user)
        await self._backend.disconnect(vm)

    def _made(self, user: User, vm: VirtualMachine, pool: str | None, offer: DisplayOffer) -> ConsoleOffer:
        text, ticket = self._tickets.issue(user, vm.name, pool, offer.engine)
        file = connection_file(vm.name, offer.address, offer.password) if offer.address else None
        return ConsoleOffer(vm.name, offer.engine, text, offer.password, ticket.expires_at, file)
