"""What stands in for a backend that cannot be loaded: the server starts, and the panel says why there are no pools."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from vmpool_ext.domain.errors import BackendUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from vmpool_ext.broker.ports import Display, DisplayOffer, Event
    from vmpool_ext.domain.decision import Decision
    from vmpool_ext.domain.machine import Assignment, RequestedState, VirtualMachine
    from vmpool_ext.domain.user import User


class UnavailableBackend:
    """Implements the port by saying why it does not."""

    shared = False

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def _refuse(self) -> NoReturn:
        raise BackendUnavailable(self._reason)

    async def start(self) -> None:
        """Nothing needs to be there first."""

    async def stop(self) -> None:
        """Nothing is held."""

    async def watch(self) -> AsyncGenerator[Event, None]:
        """Say why there is nothing to see."""
        self._refuse()
        yield  # makes this a generator

    async def assign(self, vm: VirtualMachine, assignment: Assignment) -> VirtualMachine:  # noqa: ARG002
        """Refuse."""
        self._refuse()

    async def release(self, vm: VirtualMachine) -> VirtualMachine:  # noqa: ARG002
        """Refuse."""
        self._refuse()

    async def request_state(self, vm: VirtualMachine, state: RequestedState) -> VirtualMachine:  # noqa: ARG002
        """Refuse."""
        self._refuse()

    async def reset(self, vm: VirtualMachine) -> None:  # noqa: ARG002
        """Refuse."""
        self._refuse()

    async def restart(self, vm: VirtualMachine) -> VirtualMachine:  # noqa: ARG002
        """Refuse."""
        self._refuse()

    async def mark_session(self, vm: VirtualMachine, user: str) -> VirtualMachine:  # noqa: ARG002
        """Refuse."""
        self._refuse()

    async def log_in(self, vm: VirtualMachine, user: str) -> VirtualMachine:  # noqa: ARG002
        """Refuse."""
        self._refuse()

    async def log_out(self, vm: VirtualMachine) -> VirtualMachine:  # noqa: ARG002
        """Refuse."""
        self._refuse()

    async def disconnect(self, vm: VirtualMachine) -> None:  # noqa: ARG002
        """Refuse."""
        self._refuse()

    async def discard(self, vm: VirtualMachine) -> VirtualMachine:  # noqa: ARG002
        """Refuse."""
        self._refuse()

    def tell(self, decision: Decision) -> None:
        """Keep nothing: nothing is decided here."""

    async def pool_is_gone(self, name: str) -> bool:  # noqa: ARG002
        """Refuse."""
        self._refuse()

    async def offer_display(self, vm: VirtualMachine, user: User) -> DisplayOffer:  # noqa: ARG002
        """Refuse."""
        self._refuse()

    async def connect_display(self, vm: VirtualMachine) -> Display:  # noqa: ARG002
        """Refuse."""
        self._refuse()
