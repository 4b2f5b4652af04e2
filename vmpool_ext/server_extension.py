"""Root 1: the extension of Jupyter Server, which decides itself."""

from __future__ import annotations

import asyncio
import getpass
import logging
from typing import TYPE_CHECKING

from jupyter_server.extension.application import ExtensionApp
from traitlets import Bool, TraitError, Unicode, validate
from traitlets.utils.importstring import import_item

from vmpool_ext._version import __version__
from vmpool_ext.backends.unavailable import UnavailableBackend
from vmpool_ext.broker.broker import PoolBroker
from vmpool_ext.broker.clock import SystemClock
from vmpool_ext.domain.errors import UnusableName
from vmpool_ext.domain.user import User
from vmpool_ext.web.endpoints import Endpoints
from vmpool_ext.web.jupyter import SETTING, Served
from vmpool_ext.web.routes import ROUTES

if TYPE_CHECKING:
    from jupyter_server.base.handlers import JupyterHandler
    from jupyter_server.serverapp import ServerApp
    from traitlets import Bunch

    from vmpool_ext.broker.ports import Backend

log = logging.getLogger(__name__)


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

    @validate("user")
    def _usable(self, proposal: Bunch) -> str:
        name: str = proposal["value"]
        try:
            return User(name).name if name else name
        except UnusableName as error:
            raise TraitError(str(error)) from error

    def initialize_settings(self) -> None:
        """Wire everything."""
        self._backend = self._make_backend()
        self._broker = PoolBroker(self._backend, SystemClock())
        self._running: asyncio.Task[None] | None = None
        endpoints = Endpoints(self._broker, mode="local", version=__version__)
        self.settings[SETTING] = Served(endpoints, self._user_of)
        self.log.info("vmpool_ext: mode local, backend %s, user %s", self.backend_class, self.user or "of the account")

    def initialize_handlers(self) -> None:
        """Serve the addresses."""
        self.handlers.extend(ROUTES)

    async def stop_extension(self) -> None:
        """Let go of everything; whether VMs live on is the backend's configuration."""
        if self._running:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        await self._backend.stop()

    async def _start_jupyter_server_extension(self, _: ServerApp) -> None:
        """Begin, now that the server's loop runs."""
        await self._backend.start()
        self._running = asyncio.create_task(self._broker.run(), name="vmpool broker")

    def _make_backend(self) -> Backend:
        """Make the configured backend; where that fails the panel says why, and the rest of the server works."""
        try:
            backend: Backend = import_item(self.backend_class)(clock=SystemClock(), parent=self)
        except ImportError as error:
            self.log.exception("vmpool_ext: the backend %s cannot be loaded", self.backend_class)
            return UnavailableBackend(f"The backend {self.backend_class} cannot be loaded: {error}.")
        return backend

    def _user_of(self, _: JupyterHandler) -> User:
        return User(self.user or getpass.getuser(), administrator=self.administrator)
