"""What the broker needs from outside. Implemented by `vmpool_ext.backends`; tests hold each to `tests/backends/contract.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from datetime import datetime

    from vmpool_ext.domain.connection_file import DisplayAddress
    from vmpool_ext.domain.decision import Decision
    from vmpool_ext.domain.machine import Assignment, RequestedState, VirtualMachine
    from vmpool_ext.domain.pool import Pool
    from vmpool_ext.domain.user import User


class Clock(Protocol):
    """The time; movable in tests."""

    def now(self) -> datetime:
        """Tell the time, in UTC."""
        ...

    async def sleep_until(self, moment: datetime) -> None:
        """Return when the clock shows this moment, at once if it has passed; or when that should be so by the time passed.

        So nobody who only pauses waits for hours when the clock is set back.
        """
        ...

    def is_trusted(self) -> bool:
        """Whether the time has passed as it should, or the clock has jumped: then it is not known what has ended."""
        ...


@dataclass(frozen=True, slots=True)
class Listed:
    """Everything there is, as of this version of the VMs. What is not in it does not exist any more."""

    pools: tuple[Pool, ...]
    vms: tuple[VirtualMachine, ...]
    version: int


@dataclass(frozen=True, slots=True)
class VmChanged:
    """A VM was added or changed; its version says when."""

    vm: VirtualMachine


@dataclass(frozen=True, slots=True)
class VmDeleted:
    """A VM is gone."""

    name: str
    version: int


@dataclass(frozen=True, slots=True)
class PoolChanged:
    """A pool was added or changed."""

    pool: Pool


@dataclass(frozen=True, slots=True)
class PoolDeleted:
    """A pool is gone."""

    name: str
    version: int


@dataclass(frozen=True, slots=True)
class Behind:
    """What is told may not be the latest, and why, until everything is told anew: nothing may be decided by it."""

    code: str
    message: str


Event = Listed | VmChanged | VmDeleted | PoolChanged | PoolDeleted | Behind


@dataclass(frozen=True, slots=True)
class DisplayOffer:
    """What opens a VM's display now: which client it takes, and what it asks for."""

    engine: str
    """``vnc`` or ``spice``."""
    password: str = field(repr=False)
    address: DisplayAddress | None = None
    """Where a program on the user's own machine connects to, if it can."""


class Display(Protocol):
    """A connection to a VM's display: bytes in the display's own protocol."""

    async def read(self) -> bytes:
        """Wait for what the display says next; empty when it has ended."""
        ...

    async def write(self, data: bytes) -> None:
        """Send to the display; returns when it may take more. What an ended display is sent is lost."""
        ...

    async def close(self) -> None:
        """Disconnect; closing twice is no mistake."""
        ...


class Backend(Protocol):
    """Where the VMs live.

    Every method but `watch`, `stop` and `tell` raises `BackendUnavailable` when the backend cannot be asked: then nothing was
    written, or it is not known whether it was, and the next event tells.

    Methods that take a VM write only if the VM is still as it was read (its ``version``), else they raise
    `AssignmentConflict` and nothing was written. A VM that is gone is a conflict too. They return the VM as written.
    """

    shared: bool
    """Whether other brokers, who know nothing of this one, give the same VMs away."""

    async def start(self) -> None:
        """Begin to serve. Raises nothing that `watch` could tell: a backend that cannot serve yet starts all the same."""
        ...

    async def stop(self) -> None:
        """Let go of everything held; whether VMs live on is the backend's configuration."""
        ...

    def watch(self) -> AsyncGenerator[Event, None]:
        """First `Listed`, then what changes, own writes included, until `BackendUnavailable`.

        Changes of VMs come in the order of their versions, and so do those of pools; but which of the two a backend tells
        of first says nothing.
        Of what changed again before it was told, only the latest is told. Whoever watches again gets a new `Listed`;
        whoever was told `Behind` gets one as soon as that is over. Several may watch at once.
        """
        ...

    async def assign(self, vm: VirtualMachine, assignment: Assignment) -> VirtualMachine:
        """Give the VM away: pool, user and last use are written together."""
        ...

    async def release(self, vm: VirtualMachine) -> VirtualMachine:
        """Remove the assignment: all three of its parts together."""
        ...

    async def request_state(self, vm: VirtualMachine, state: RequestedState) -> VirtualMachine:
        """Want the VM to run or to be off; events tell when it is so, or why it did not come to that.

        Off is reached gracefully where the guest obeys within its ``powerdownTimeout``, else by force.
        """
        ...

    async def reset(self, vm: VirtualMachine) -> None:
        """Reset the running VM as its reset button would; its disks are not touched, and it keeps running.

        Where that button is out of reach, as `restart`.
        `BackendUnavailable` if it does not run.
        """
        ...

    async def restart(self, vm: VirtualMachine) -> VirtualMachine:
        """Want the run of the VM to end, and another to begin: it stays requested to run.

        Whatever was in its memory is gone then. Off is reached as by `request_state`, but sooner by force: nobody who
        is waited for would lose anything.
        """
        ...

    async def mark_session(self, vm: VirtualMachine, user: str) -> VirtualMachine:
        """Note whose session the present run of the VM holds."""
        ...

    async def log_in(self, vm: VirtualMachine, user: str) -> VirtualMachine:
        """Have the guest's agent log the user in; `AgentFailed` with its words if it does not, and the VM says so."""
        ...

    async def log_out(self, vm: VirtualMachine) -> VirtualMachine:
        """Have the guest's agent log out whoever is logged in; `AgentFailed` with its words if it does not."""
        ...

    async def disconnect(self, vm: VirtualMachine) -> None:
        """End every connection to the VM's display, and let no password that was given out open it again.

        Whether the VM has changed does not matter; one that is off has nobody to disconnect.
        """
        ...

    async def discard(self, vm: VirtualMachine) -> VirtualMachine:
        """Throw away what was written to the VM's disks, as soon as it is off: the next start begins with the base image."""
        ...

    def tell(self, decision: Decision) -> None:
        """Keep for administrators what was decided, where there is a place for that.

        Never raises and is never waited for: nobody's start depends on what is told of it.
        """
        ...

    async def pool_is_gone(self, name: str) -> bool:
        """Ask anew whether a pool is gone; False also where pools as such cannot be asked for."""
        ...

    async def offer_display(self, vm: VirtualMachine, user: User) -> DisplayOffer:
        """Note the console user, and make the display accept one connection with a fresh password for ten seconds.

        `BackendUnavailable` if the VM does not run.
        """
        ...

    async def connect_display(self, vm: VirtualMachine) -> Display:
        """Connect to the display of the running VM; `BackendUnavailable` if it does not run."""
        ...
