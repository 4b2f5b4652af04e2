"""What every root that decides itself is made of: a backend by name, and the broker over it."""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import TYPE_CHECKING

from traitlets import TraitError, Unicode
from traitlets.config import Configurable
from traitlets.utils.importstring import import_item

from vmpool_ext.backends.unavailable import UnavailableBackend
from vmpool_ext.broker.broker import PoolBroker
from vmpool_ext.broker.clock import SystemClock
from vmpool_ext.domain.assignment import PREFERENCES, scattered, warm_first
from vmpool_ext.domain.duties import UsedVm

if TYPE_CHECKING:
    from collections.abc import Iterable

    from traitlets.config import Config

    from vmpool_ext.broker.ports import Backend

log = logging.getLogger(__name__)


class Deciding(Configurable):
    """The options of a broker, and its life."""

    backend_class = Unicode(
        "vmpool_ext.backends.qemu.backend.QemuBackend",
        help="Where the VMs live: the name of a class that is made with `clock` and `parent`.",
    ).tag(config=True)

    prefer = Unicode(
        "warm",
        help="""Which VM of a pool is given first: `warm`, one that runs and that nobody was in; or `longest-unused`, as
        VM-Operator chooses.""",
    ).tag(config=True)

    used_vm = Unicode(
        "clean",
        help="""What a user gets whose VM somebody else was in: `clean`, the session before ended, by the guest's agent
        or by a restart; or `keep`, as it is, as VM-Operator does.""",
    ).tag(config=True)

    _backend: Backend | None = None
    _running: asyncio.Task[None] | None = None

    def make_broker(self, config: Config) -> PoolBroker:
        """Make what decides; where an option is wrong, one that says so to everybody."""
        self._backend = self._make_backend(config)
        prefer = PREFERENCES.get(self.prefer, warm_first)
        if self._backend.shared:
            prefer = scattered(prefer, secrets.token_hex(8))
        used_vm = UsedVm.KEEP if self.used_vm == UsedVm.KEEP else UsedVm.CLEAN
        self._broker = PoolBroker(self._backend, SystemClock(), prefer, used_vm)
        return self._broker

    async def start_broker(self) -> None:
        """Begin, once there is a loop."""
        if self._backend:
            await self._backend.start()
            self._running = asyncio.create_task(self._broker.run(), name="vmpool broker")

    async def stop_broker(self) -> None:
        """Let go of everything; whether VMs live on is the backend's configuration."""
        if self._running:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        if self._backend:
            await self._backend.stop()

    def _make_backend(self, config: Config) -> Backend:
        """Make the configured backend; where that fails the panel says why, and the rest of the server works."""
        try:
            # Where one option cannot be applied the application goes on with the defaults of all: another user's, for one.
            self.update_config(config)
            _require_one_of(f"{type(self).__name__}.prefer", self.prefer, PREFERENCES)
            _require_one_of(f"{type(self).__name__}.used_vm", self.used_vm, UsedVm)
            backend: Backend = import_item(self.backend_class)(clock=SystemClock(), parent=self)
        except (ImportError, TraitError) as error:
            log.error("vmpool_ext: the backend cannot be made: %s", error)  # noqa: TRY400  # an option is wrong
            return UnavailableBackend(f"The backend {self.backend_class} cannot be made: {error}")
        return backend


def _require_one_of(option: str, value: str, known: Iterable[str]) -> None:
    names = [str(name) for name in known]
    if value not in names:
        message = f"{option} is one of {', '.join(names)}; not {value!r}."
        raise TraitError(message)
