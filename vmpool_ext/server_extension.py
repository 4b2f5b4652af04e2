"""Root 1: the extension of Jupyter Server, which decides itself."""

from __future__ import annotations

import asyncio
import getpass
import logging
import secrets
from typing import TYPE_CHECKING

from jupyter_server.extension.application import ExtensionApp
from traitlets import Bool, List, TraitError, Unicode
from traitlets.utils.importstring import import_item

from vmpool_ext._version import __version__
from vmpool_ext.backends.unavailable import UnavailableBackend
from vmpool_ext.broker.broker import PoolBroker
from vmpool_ext.broker.clock import SystemClock
from vmpool_ext.domain.assignment import PREFERENCES, scattered, warm_first
from vmpool_ext.domain.duties import UsedVm
from vmpool_ext.domain.errors import UnusableName
from vmpool_ext.domain.user import User
from vmpool_ext.web.endpoints import Endpoints
from vmpool_ext.web.jupyter import SETTING, Served
from vmpool_ext.web.routes import ROUTES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jupyter_server.base.handlers import JupyterHandler
    from jupyter_server.serverapp import ServerApp

    from vmpool_ext.broker.ports import Backend


class VmPoolExtension(ExtensionApp):
    """VM pools: press Start in JupyterLab and have a virtual machine of your own."""

    name = "vmpool_ext"
    load_other_extensions = True

    backend_class = Unicode(
        "vmpool_ext.backends.qemu.backend.QemuBackend",
        help="Where the VMs live: the name of a class that is made with `clock` and `parent`.",
    ).tag(config=True)

    user = Unicode(
        help="""The name under which whoever uses this server is known to the pools; by default the account that it runs
        as. All who hold the server's token are this user: Jupyter's own names are made up anew for every browser."""
    ).tag(config=True)

    administrator = Bool(
        default_value=False,
        help="Whether whoever uses this server is an administrator of the pools.",
    ).tag(config=True)

    roles = List(
        Unicode(),
        help="The roles of whoever uses this server: pools and VMs may grant permissions to them.",
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

    def initialize_settings(self) -> None:
        """Wire everything."""
        # So that what the layers below have to say comes out where the server's own words do.
        logging.getLogger("vmpool_ext").parent = self.log
        self._refuse_unusable_name()
        self._backend = self._make_backend()
        prefer = PREFERENCES.get(self.prefer, warm_first)
        if self._backend.shared:
            prefer = scattered(prefer, secrets.token_hex(8))
        used_vm = UsedVm.KEEP if self.used_vm == UsedVm.KEEP else UsedVm.CLEAN
        self._broker = PoolBroker(self._backend, SystemClock(), prefer, used_vm)
        endpoints = Endpoints(self._broker, mode="local", version=__version__)
        self.settings[SETTING] = Served(endpoints, self._user_of)
        self.log.info("vmpool_ext: mode local, backend %s, user %s", self.backend_class, self._user_name())

    def initialize_handlers(self) -> None:
        """Serve the addresses."""
        self.handlers.extend(ROUTES)

    async def stop_extension(self) -> None:
        """Let go of everything; whether VMs live on is the backend's configuration."""
        if self._running:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        if self._backend:
            await self._backend.stop()

    async def _start_jupyter_server_extension(self, _: ServerApp) -> None:
        """Begin, now that the server's loop runs."""
        if self._backend:
            await self._backend.start()
            self._running = asyncio.create_task(self._broker.run(), name="vmpool broker")

    def _make_backend(self) -> Backend:
        """Make the configured backend; where that fails the panel says why, and the rest of the server works."""
        try:
            # Where Jupyter could not apply one option it goes on with the defaults of all: another user's, for one.
            self.update_config(self.serverapp.config if self.serverapp else self.config)
            _require_one_of("prefer", self.prefer, PREFERENCES)
            _require_one_of("used_vm", self.used_vm, UsedVm)
            backend: Backend = import_item(self.backend_class)(clock=SystemClock(), parent=self)
        except (ImportError, TraitError) as error:
            self.log.error("vmpool_ext: the backend cannot be made: %s", error)  # noqa: TRY400  # an option is wrong
            return UnavailableBackend(f"The backend {self.backend_class} cannot be made: {error}")
        return backend

    def _refuse_unusable_name(self) -> None:
        """Say at the start what every request will be told: a name that is refused must not become another one."""
        try:
            User(self._user_name())
        except UnusableName as error:
            self.log.error("vmpool_ext: VmPoolExtension.user: %s", error)  # noqa: TRY400  # an option is wrong

    def _user_name(self) -> str:
        return self.user or getpass.getuser()

    def _user_of(self, _: JupyterHandler) -> User:
        return User(self._user_name(), frozenset(self.roles), self.administrator)


def _require_one_of(option: str, value: str, known: Iterable[str]) -> None:
    names = [str(name) for name in known]
    if value not in names:
        message = f"VmPoolExtension.{option} is one of {', '.join(names)}; not {value!r}."
        raise TraitError(message)
