"""The service as a program: what the hub tells it in its environment, and what its administrator has configured."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jupyter_core.application import JupyterApp
from jupyterhub.services.auth import HubAuth
from tornado.httpserver import HTTPServer
from tornado.web import Application
from traitlets import Bool, Dict, Float, Integer, List, Unicode

from vmpool_ext._version import __version__
from vmpool_ext.domain.roles import RoleRules
from vmpool_ext.hub_service.flood import Allowance
from vmpool_ext.hub_service.gate import ALLOWANCE, HUB, IDENTITIES, RECHECK
from vmpool_ext.hub_service.identity import Identities
from vmpool_ext.web.endpoints import Endpoints
from vmpool_ext.web.handlers import ENDPOINTS
from vmpool_ext.web.routes import EVERY_OTHER, ROUTES
from vmpool_ext.wiring import Deciding

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)

NEEDED = ("JUPYTERHUB_SERVICE_NAME", "JUPYTERHUB_SERVICE_PREFIX", "JUPYTERHUB_SERVICE_URL", "JUPYTERHUB_API_URL")
"""What the environment must say."""
_LARGEST_BODY = 16 * 1024
"""Bytes: no request has a body that says something."""
_SLOWEST_BODY, _PING = 10, 30
"""Seconds."""


class VmPoolService(Deciding, JupyterApp):
    """VM pools for all users of a JupyterHub."""

    name = "jupyter-vmpool-service"
    description = __doc__ or ""
    version = __version__

    roles_by_group = Dict(
        value_trait=List(Unicode()),
        key_trait=Unicode(),
        help="""The roles that the members of a group of the hub have, as pools grant permissions to them. Without any entry
        each group is the role of its name; with one, groups that have none give no role.""",
    ).tag(config=True)
    roles_by_user = Dict(
        value_trait=List(Unicode()),
        key_trait=Unicode(),
        help="Further roles, by the name of a user; those of `*` are everybody's.",
    ).tag(config=True)
    administrator_groups = List(
        Unicode(), help="The groups of the hub whose members are administrators of the pools."
    ).tag(config=True)
    hub_admins = Bool(
        default_value=True, help="Whether the administrators of the hub are administrators of the pools."
    ).tag(config=True)
    identity_age = Integer(
        30,
        min=1,  # by 0, `HubAuth` would believe it for ever
        max=30,
        help="Seconds that the hub's word on who holds a token is believed where somebody only looks.",
    ).tag(config=True)
    recheck = Integer(
        30,
        min=1,
        max=300,
        help="Seconds after which the hub is asked again about whoever has the panel or a console open.",
    ).tag(config=True)

    hub_timeout = Float(10, help="Seconds that the hub has to say who somebody is.").tag(config=True)
    acts_at_once = Integer(20, min=1, help="How often one user may press a button, or a program do so, at once.").tag(
        config=True
    )
    acts_per_second = Float(2, min=0.01, help="How often after that, in a second.").tag(config=True)

    def start(self) -> None:
        """Serve until the hub says that it is enough."""
        super().start()
        logging.getLogger("vmpool_ext").parent = self.log
        asyncio.run(self._serve(_told(os.environ)))

    async def _serve(self, told: Mapping[str, str]) -> None:
        endpoints = Endpoints(self.make_broker(self.config), mode="hub", version=__version__)
        server = HTTPServer(self._application(told, endpoints), max_body_size=_LARGEST_BODY, body_timeout=_SLOWEST_BODY)
        ended = _end_of_the_process()
        await self.start_broker()
        try:
            address = urlsplit(told["JUPYTERHUB_SERVICE_URL"])
            server.listen(address.port or 80, address.hostname or "127.0.0.1")
            self.log.info("vmpool_ext: serving %s, backend %s", told["JUPYTERHUB_SERVICE_URL"], self.backend_class)
            await ended.wait()
        finally:
            server.stop()
            await server.close_all_connections()
            await self.stop_broker()

    def _application(self, told: Mapping[str, str], endpoints: Endpoints) -> Application:
        at = told["JUPYTERHUB_SERVICE_PREFIX"].rstrip("/")
        table = [(at + pattern, handler) for pattern, handler in (*ROUTES, EVERY_OTHER)]
        return Application(HUB.routes(table), **self._settings(told, endpoints))

    def _settings(self, told: Mapping[str, str], endpoints: Endpoints) -> dict[str, Any]:
        rules = RoleRules(self.roles_by_group, self.roles_by_user, self.administrator_groups, self.hub_admins)
        auth = HubAuth(parent=self, api_url=told["JUPYTERHUB_API_URL"], cache_max_age=self.identity_age)
        identities = Identities(auth, told["JUPYTERHUB_SERVICE_NAME"], rules, self.hub_timeout)
        return {
            ENDPOINTS: endpoints,
            IDENTITIES: identities,
            ALLOWANCE: Allowance(self.acts_at_once, self.acts_per_second, asyncio.get_running_loop().time),
            RECHECK: self.recheck,
            "websocket_ping_interval": _PING,
        }


def _told(environment: Mapping[str, str]) -> dict[str, str]:
    """Give what the hub says; without all of it nothing is served, least of all without a name to ask permission by."""
    if missing := [name for name in NEEDED if not environment.get(name)]:
        sys.exit(
            f"error: {', '.join(missing)} is not set. A JupyterHub sets it for its services; docs/jupyterhub.md says more."
        )
    return {name: environment[name] for name in NEEDED}


def _end_of_the_process() -> asyncio.Event:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, ended.set)
    return ended


def main() -> None:
    """Run the service."""
    VmPoolService.launch_instance()
