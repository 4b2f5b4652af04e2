"""The endpoints on Tornado's handlers, whoever lets people in: a gate that a root names."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, cast

from tornado import web

from vmpool_ext.domain.errors import VmPoolError
from vmpool_ext.web.contract import CONTRACT, MEDIA_TYPE
from vmpool_ext.web.errors import body_of, retry_after, status_of
from vmpool_ext.web.json import require_empty

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vmpool_ext.domain.user import User
    from vmpool_ext.web.endpoints import Answer, Endpoints

log = logging.getLogger(__name__)

ENDPOINTS = "vmpool_endpoints"
"""The setting under which a root hands over what answers."""


def methods_of(handler: type[web.RequestHandler]) -> list[str]:
    """Tell which methods an address takes (RFC 9110, 10.2.1)."""
    # Tornado has one method in the place of all that a handler does not take.
    missing = web.RequestHandler._unimplemented_method  # noqa: SLF001
    return [each for each in web.RequestHandler.SUPPORTED_METHODS if getattr(handler, each.lower()) is not missing]


class Answers(web.RequestHandler):
    """Errors in the one shape, also those that are not ours."""

    may: ClassVar[Mapping[str, str]] = {}
    """The methods that an address takes, and what each does to VM pools, in Jupyter's words: read, write, execute."""

    if TYPE_CHECKING:
        # The gate has these.
        @property
        def user(self) -> User:
            """Who asks."""

        def status_of_foreign(self, status: int) -> int:
            """Give the status that tells best of an error that is not ours."""

    @property
    def endpoints(self) -> Endpoints:
        """What the root handed over."""
        return cast("Endpoints", self.settings[ENDPOINTS])

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Note refusals in a line; keep the traceback for what nobody foresaw."""
        if isinstance(value, VmPoolError):
            log.info("refused %s: %s", self.request.path, value.code)
        else:
            super().log_exception(typ, value, tb)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Write the one shape."""
        error = kwargs.get("exc_info", (None, None))[1]
        status = status_of(error) if isinstance(error, VmPoolError) else self.status_of_foreign(status_code)
        self.set_status(status)
        if isinstance(error, VmPoolError) and (seconds := retry_after(error)):
            self.set_header("Retry-After", str(seconds))
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.set_header("Allow", ", ".join(methods_of(type(self))))
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(body_of(error, status)))


class Endpoint(Answers):
    """Base of everything that answers in JSON. Looking is no activity."""

    is_activity = False

    def reply(self, answer: Answer) -> None:
        """Write an answer."""
        self.set_status(answer.status)
        self.set_header("Content-Type", "application/json")
        for name, value in answer.headers.items():
            self.set_header(name, value)
        self.finish(json.dumps(answer.body))


class Me(Endpoint):
    """``GET me``."""

    may: ClassVar = {"get": "read"}

    async def get(self) -> None:
        """Tell who asks."""
        self.reply(await self.endpoints.me(self.user))


class Health(Endpoint):
    """``GET health``."""

    may: ClassVar = {"get": "read"}

    async def get(self) -> None:
        """Tell what runs."""
        self.reply(await self.endpoints.health(self.user))


class Contract(Endpoint):
    """``GET openapi.yaml``."""

    may: ClassVar = {"get": "read"}

    async def get(self) -> None:
        """Show what is promised."""
        self.set_header("Content-Type", MEDIA_TYPE)
        self.finish(CONTRACT)


class Pools(Endpoint):
    """``GET pools``."""

    may: ClassVar = {"get": "read"}

    async def get(self) -> None:
        """Show the user's pools."""
        self.reply(await self.endpoints.pools(self.user))


class Pool(Endpoint):
    """``GET pools/{pool}``."""

    may: ClassVar = {"get": "read"}

    async def get(self, pool: str) -> None:
        """Show one pool."""
        self.reply(await self.endpoints.pool(self.user, pool))


class PoolAction(Endpoint):
    """``POST pools/{pool}/{action}``: somebody clicked, or asked by program."""

    may: ClassVar = {"post": "write"}
    is_activity = True

    async def post(self, pool: str, action: str) -> None:
        """Do what one of the buttons does."""
        require_empty(self.request.body)
        self.reply(await getattr(self.endpoints, action)(self.user, pool))


class Vms(Endpoint):
    """``GET vms``."""

    may: ClassVar = {"get": "read"}

    async def get(self) -> None:
        """Show the VMs with grants of their own for the user."""
        self.reply(await self.endpoints.vms(self.user))


class VmAction(Endpoint):
    """``POST vms/{vm}/{action}``: the same buttons for a VM with grants of its own."""

    may: ClassVar = {"post": "write"}
    is_activity = True

    async def post(self, vm: str, action: str) -> None:
        """Do what one of the buttons does."""
        require_empty(self.request.body)
        self.reply(await getattr(self.endpoints, f"{action}_vm")(self.user, vm))


class Nothing(Endpoint):
    """Every other address."""

    async def prepare(self) -> None:
        """Answer in JSON here too."""
        if (preparing := super().prepare()) is not None:
            await preparing
        raise web.HTTPError(HTTPStatus.NOT_FOUND if self.current_user else HTTPStatus.UNAUTHORIZED)
