"""Root 1: the extension of Jupyter Server, which decides itself, or hands on to the service that does."""

from __future__ import annotations

import getpass
import logging
from typing import TYPE_CHECKING

from jupyter_server.extension.application import ExtensionApp
from traitlets import Bool, List, Unicode

from vmpool_ext._version import __version__
from vmpool_ext.domain.errors import UnusableName
from vmpool_ext.domain.user import User
from vmpool_ext.web.endpoints import Endpoints
from vmpool_ext.web.forwarding import FORWARDED, Service
from vmpool_ext.web.handlers import ENDPOINTS
from vmpool_ext.web.jupyter import JUPYTER, USER_OF
from vmpool_ext.web.routes import ROUTES
from vmpool_ext.wiring import Deciding

if TYPE_CHECKING:
    from jupyter_server.base.handlers import JupyterHandler
    from jupyter_server.serverapp import ServerApp


class VmPoolExtension(Deciding, ExtensionApp):
    """VM pools: press Start in JupyterLab and have a virtual machine of your own."""

    name = "vmpool_ext"
    load_other_extensions = True

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

    def initialize_settings(self) -> None:
        """Wire everything."""
        # So that what the layers below have to say comes out where the server's own words do.
        logging.getLogger("vmpool_ext").parent = self.log
        self._service = Service.of_environment()
        if self._service:
            self.settings |= self._service.settings
            self.log.info("vmpool_ext: mode hub, service %s", self._service.url)
        else:
            self._decide()

    def initialize_handlers(self) -> None:
        """Serve the addresses."""
        self.handlers.extend(JUPYTER.routes(FORWARDED if self._service else ROUTES))

    async def stop_extension(self) -> None:
        """Let go of everything."""
        await self.stop_broker()

    async def _start_jupyter_server_extension(self, _: ServerApp) -> None:
        """Begin, now that the server's loop runs."""
        await self.start_broker()

    def _decide(self) -> None:
        self._refuse_unusable_name()
        broker = self.make_broker(self.serverapp.config if self.serverapp else self.config)
        endpoints = Endpoints(broker, mode="local", version=__version__)
        self.settings |= {ENDPOINTS: endpoints, USER_OF: self._user_of}
        self.log.info("vmpool_ext: mode local, backend %s, user %s", self.backend_class, self._user_name())

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
