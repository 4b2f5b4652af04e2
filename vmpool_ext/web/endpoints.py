"""What each address answers: one call of the broker, and its outcome as status and body. No framework."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from vmpool_ext.web.json import to_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from vmpool_ext.broker.broker import PoolBroker
    from vmpool_ext.broker.consoles import ConsoleOffer, OpenConsole
    from vmpool_ext.domain.user import User


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, what stands in the body, and further headers."""

    status: HTTPStatus
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The API of `docs/api.md` over one broker."""

    broker: PoolBroker
    mode: str
    version: str

    async def me(self, user: User) -> Answer:
        """Tell who asks."""
        return _ok(
            {
                "user": user.name,
                "roles": sorted(user.roles),
                "administrator": user.administrator,
                "mode": self.mode,
                "version": self.version,
            }
        )

    async def health(self, _: User) -> Answer:
        """Tell what runs, and since when the picture is stale."""
        problem = self.broker.problem
        status = "degraded" if problem else "ok"
        return _ok({"status": status, "mode": self.mode, "version": self.version, "problem": to_json(problem)})

    async def pools(self, user: User) -> Answer:
        """Show the user's pools."""
        await self.broker.drawn()
        return _ok({"pools": to_json(self.broker.overview(user).pools)})

    async def vms(self, user: User) -> Answer:
        """Show the VMs on which the user has permissions by a grant on the VM itself."""
        await self.broker.drawn()
        return _ok({"vms": to_json(self.broker.vms(user))})

    async def pool(self, user: User, name: str) -> Answer:
        """Show one pool."""
        await self.broker.drawn()
        return _ok(to_json(self.broker.pool(user, name)))

    async def start(self, user: User, name: str) -> Answer:
        """Give the user a VM and have it run."""
        await self.broker.drawn()
        started = await self.broker.start(user, name)
        return Answer(HTTPStatus.CREATED if started.newly else HTTPStatus.ACCEPTED, to_json(started.pool))

    async def stop(self, user: User, name: str) -> Answer:
        """Shut down the user's VM."""
        return Answer(HTTPStatus.ACCEPTED, to_json(await self.broker.stop(user, name)))

    async def reset(self, user: User, name: str) -> Answer:
        """Reset the user's VM."""
        return Answer(HTTPStatus.ACCEPTED, to_json(await self.broker.reset(user, name)))

    async def release(self, user: User, name: str) -> Answer:
        """Give the user's VM back."""
        return Answer(HTTPStatus.ACCEPTED, to_json(await self.broker.release(user, name)))

    async def console(self, user: User, name: str) -> Answer:
        """Tell what to connect with to the user's VM."""
        return _offered(await self.broker.open_console(user, name))

    async def start_vm(self, user: User, name: str) -> Answer:
        """Have a VM run."""
        await self.broker.drawn()
        return Answer(HTTPStatus.ACCEPTED, to_json(await self.broker.start_vm(user, name)))

    async def stop_vm(self, user: User, name: str) -> Answer:
        """Shut a VM down."""
        return Answer(HTTPStatus.ACCEPTED, to_json(await self.broker.stop_vm(user, name)))

    async def reset_vm(self, user: User, name: str) -> Answer:
        """Reset a VM."""
        return Answer(HTTPStatus.ACCEPTED, to_json(await self.broker.reset_vm(user, name)))

    async def console_vm(self, user: User, name: str) -> Answer:
        """Tell what to connect with to a VM."""
        return _offered(await self.broker.open_vm_console(user, name))

    async def updates(self, user: User) -> AsyncIterator[Any]:
        """Give the user's whole picture, again at every change."""
        async for picture in self.broker.watch(user):
            yield to_json(picture)

    async def display(self, user: User, vm: str, ticket: str) -> OpenConsole:
        """Connect the holder of a ticket."""
        return await self.broker.connect_console(user, vm, ticket)


def _offered(offer: ConsoleOffer) -> Answer:
    body = {**to_json(offer), "url": f"vms/{quote(offer.vm, safe='')}/display"}
    return Answer(HTTPStatus.OK, body, {"Cache-Control": "no-store"})


def _ok(body: Any) -> Answer:
    return Answer(HTTPStatus.OK, body)
