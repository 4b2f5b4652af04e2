"""Waiting for a VM: looking at it again and again, ever more slowly, until nothing is under way with it."""

from __future__ import annotations

from asyncio import CancelledError
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmpool_ext.client.errors import (
    AgentMissing,
    Crashed,
    LoginFailed,
    StartFailed,
    Unavailable,
    Unreachable,
    VmPoolError,
    WaitTimeout,
    error_class,
)
from vmpool_ext.client.progress import Progress
from vmpool_ext.client.views import console_refusal, login_failed

if TYPE_CHECKING:
    from vmpool_ext.client.link import Link
    from vmpool_ext.client.places import Place
    from vmpool_ext.client.progress import Watch
    from vmpool_ext.client.views import VmFacts

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 2.0
_GROWTH = 1.5
GRACE = 30.0
"""Seconds for which a server may be away while a VM is waited for, as it is when it is restarted."""

_GET_BY = ("being-prepared", "waiting-for-login")
"""What keeps a console closed for a moment only."""


async def settled(link: Link, place: Place, vm: VmFacts, patience: float, watch: Watch) -> VmFacts:
    """Wait until a VM is off, or runs and its console can be opened; tell `watch` how it is in between.

    Where the console is not to be had for a reason that no waiting mends, a VM that runs is enough. Raises what
    the VM came to instead, or `WaitTimeout` after so many seconds. Whatever ends the waiting, the VM stays yours.
    """
    waiting = _Waiting(link, place, vm, watch)
    try:
        await waiting.until_settled(patience)
    except (KeyboardInterrupt, CancelledError) as error:
        waiting.tell("interrupted; it stays yours", ended=True)
        error.add_note(f'The VM "{place.vm}" stays yours, and goes on as it was asked to: wait() waits on.')
        raise
    except VmPoolError as error:
        waiting.tell(f"not ready: {error}", ended=True)
        raise
    return waiting.vm


@dataclass
class _Waiting:
    link: Link
    place: Place
    vm: VmFacts
    watch: Watch
    answered: float = 0.0
    """When the server answered last, in seconds since the operation began."""

    async def until_settled(self, patience: float) -> None:
        self.tell(f"assigned {self.vm.name}")
        pause = FIRST_PAUSE
        while not is_settled(self.vm):
            self.tell(self.vm.phase)
            left = patience - self.link.elapsed
            if left <= 0:
                raise self._took_too_long(patience)
            await self.link.pause(min(pause, left))
            pause = min(pause * _GROWTH, LONGEST_PAUSE)
            await self._look()
        self.tell("ready" if self.vm.state == "running" else self.vm.phase, ended=True)

    def tell(self, phase: str, *, ended: bool = False) -> None:
        self.watch(Progress(self.vm.name, phase, self.link.elapsed, ended))

    async def _look(self) -> None:
        try:
            told = await self.link.ask(self.place.look())
        except (Unavailable, Unreachable) as error:
            if self.link.elapsed - self.answered > GRACE:
                error.add_note(f'The VM "{self.vm.name}" stays yours.')
                raise
            return
        self.vm = self.place.seen(told)
        self.answered = self.link.elapsed

    def _took_too_long(self, patience: float) -> WaitTimeout:
        message = (
            f'The VM "{self.vm.name}" is not ready after {patience:g} seconds: {self.vm.phase}. '
            "It stays yours: wait() waits on, release() gives it back."
        )
        return WaitTimeout(WaitTimeout.kind, message)


def is_settled(vm: VmFacts) -> bool:
    """Whether nothing is under way with a VM; raise what it came to if that is not what anybody waits for."""
    if vm.state == "failed":
        raise _failure(vm)
    if vm.state == "running" and login_failed(vm):
        raise _told(LoginFailed, vm, "could not log you in", "It is tried again every minute; else reset it.")
    if vm.state == "running" and console_refusal(vm) in _GET_BY:
        return False
    if vm.state == "running" and console_refusal(vm) == AgentMissing.kind:
        raise _told(AgentMissing, vm, "cannot log you in", "Reset it, or tell the administrator.")
    return vm.state not in ("starting", "stopping")


def _failure(vm: VmFacts) -> VmPoolError:
    kind = error_class(vm.fault.code) if vm.fault else StartFailed
    happened = "ended by itself" if kind is Crashed else "did not start"
    return _told(kind, vm, happened, "It stays yours: start() tries again, release() gives it back.")


def _told(kind: type[VmPoolError], vm: VmFacts, happened: str, advice: str) -> VmPoolError:
    words = f": {vm.fault.message.rstrip('.')}." if vm.fault and vm.fault.message else "."
    # A fault that this version does not know has no class of its own, but a code.
    code = kind.kind or (vm.fault.code if vm.fault else "")
    return kind(code, f'The VM "{vm.name}" {happened}{words} {advice}')
