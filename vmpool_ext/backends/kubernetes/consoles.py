"""Letting somebody in to a VM's display, and nobody else: the console user, a fresh password, and where to connect to."""

from __future__ import annotations

import logging
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from vmpool_ext.backends.kubernetes import objects
from vmpool_ext.backends.kubernetes.addresses import address_of
from vmpool_ext.backends.kubernetes.display import SpiceDisplay
from vmpool_ext.backends.kubernetes.display_secret import EXPIRED, new_password
from vmpool_ext.backends.kubernetes.errors import Conflict, NotFound
from vmpool_ext.backends.kubernetes.objects import vm_of
from vmpool_ext.backends.kubernetes.telling import asking
from vmpool_ext.backends.kubernetes.waiting import until
from vmpool_ext.broker.ports import DisplayOffer
from vmpool_ext.domain.errors import AssignmentConflict, BackendUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from vmpool_ext.backends.kubernetes.display_secret import DisplaySecret
    from vmpool_ext.backends.kubernetes.place import Place
    from vmpool_ext.broker.ports import Clock
    from vmpool_ext.domain.connection_file import DisplayAddress
    from vmpool_ext.domain.machine import VirtualMachine
    from vmpool_ext.domain.user import User

log = logging.getLogger(__name__)

TRIES = 3


@dataclass(frozen=True, slots=True)
class Settings:
    """How consoles are opened."""

    preferred_ip_version: str
    password_validity: timedelta
    serial_timeout: float
    connect_timeout: float


class Consoles:
    """Those of the VMs of one namespace."""

    def __init__(self, place: Place, clock: Clock, settings: Settings) -> None:
        self._place = place
        self._clock = clock
        self._settings = settings
        self._displays: defaultdict[str, WeakSet[SpiceDisplay]] = defaultdict(WeakSet)

    async def offer(self, vm: VirtualMachine, user: User) -> DisplayOffer:
        """Note the console user, then have the display take a password that only they are told."""
        # In this run, and in no other: it is of this one that it is known whose session it holds.
        asked = await self._place.writes.status(
            vm, {"consoleUser": user.name}, console_user=user.name, running=vm.running
        )
        resource = await self._place.writes.read(vm.name)
        address = await self._address(resource)
        password = await self._fresh_password(resource, asked)
        await self._take_back_unless_still(asked)
        # Where a pool's VM asks for no password, what tells its address would open it for ever; and a secret that was
        # made after its runner began is asked for by nobody.
        is_told = vm_of(resource).reachable and (password or not vm.pools)
        return DisplayOffer(objects.SPICE, password, address if is_told else None)

    async def connect(self, vm: VirtualMachine) -> SpiceDisplay:
        """Connect to the display."""
        address = await self._address(await self._place.writes.read(vm.name))
        display = await SpiceDisplay.connect(address, self._settings.connect_timeout)
        self._displays[vm.name].add(display)
        return display

    async def disconnect(self, vm: VirtualMachine) -> None:
        """Hang up on all who look through here, and let no password that was told open the display again.

        Who looks from elsewhere stays connected: nothing but a restart would end that, and a VM with an open console is
        given to nobody.
        """
        for display in tuple(self._displays[vm.name]):
            await display.close()
        await self._expire(vm.name)

    # Inside.

    async def _fresh_password(self, resource: Mapping[str, Any], vm: VirtualMachine) -> str:
        for _ in range(TRIES):
            secret = await self._secret(vm.name)
            if secret is None:
                return ""
            if secret.password and secret.is_fixed(self._clock.now(), self._settings.password_validity):
                _refuse_fixed(vm)
                return secret.password
            password, expiry = new_password(), self._clock.now() + self._settings.password_validity
            with suppress(Conflict):
                await self._put(secret, password, str(int(expiry.timestamp())))
                await self._until_told(resource)
                return password
        message = f'The password of the display of the VM "{vm.name}" is being changed by others. Try again.'
        raise BackendUnavailable(message)

    async def _until_told(self, resource: Mapping[str, Any]) -> None:
        """Wait until the runner has told QEMU; where it never says so, the password may be good all the same."""
        serial = objects.serial_of(resource)
        if serial == objects.NO_TICKETING:
            return
        try:
            watched = self._place.watch_vm(resource["metadata"]["name"], objects.read_serial)
            await until(watched, lambda now: now.serial > serial, self._settings.serial_timeout)
        except TimeoutError:
            log.warning("vm %s: its runner does not say that it has the new password", resource["metadata"]["name"])

    async def _take_back_unless_still(self, asked: VirtualMachine) -> None:
        """Let the password be good only if the VM is whose it was, in the same run: it is not known of another who was in it."""
        now = vm_of(await self._place.writes.read(asked.name))
        if _what_was_asked(now) != _what_was_asked(asked):
            await self._expire(asked.name)
            raise AssignmentConflict(asked.name)

    async def _expire(self, name: str) -> None:
        for _ in range(TRIES):
            secret = await self._secret(name)
            if secret is None or secret.is_fixed(self._clock.now(), self._settings.password_validity):
                return
            with suppress(Conflict):
                await self._put(secret, new_password(), EXPIRED)
                return

    async def _secret(self, vm: str) -> DisplaySecret | None:
        with asking():
            return await self._place.secrets.find(vm)

    async def _put(self, secret: DisplaySecret, password: str, expiry: str) -> None:
        with asking(Conflict):
            await self._place.secrets.put(secret, password, expiry)

    async def _address(self, resource: Mapping[str, Any]) -> DisplayAddress:
        ips = await self._pod_ips(resource["metadata"]["name"])
        return await address_of(resource, ips, self._settings.preferred_ip_version)

    async def _pod_ips(self, name: str) -> list[str]:
        try:
            with asking(NotFound):
                pod = objects.decode(await self._place.client.get(f"{self._place.pods}/{name}"))
        except NotFound:
            return []
        return [each["ip"] for each in pod.get("status", {}).get("podIPs", ())]


def _what_was_asked(vm: VirtualMachine) -> tuple[object, ...]:
    """Give what a password is good for."""
    return vm.assignment, vm.console_user, vm.running.since


def _refuse_fixed(vm: VirtualMachine) -> None:
    """A password that does not expire would open the VM's display for the next user too (R10)."""
    if vm.pools:
        message = (
            f'The display of the VM "{vm.name}" has a password that does not expire, so it is not told to users of a pool. '
            "Ask the administrator to let VM-Operator generate it (spec.vm.display.spice.generateSecret)."
        )
        raise BackendUnavailable(message, code="display-password-fixed")
