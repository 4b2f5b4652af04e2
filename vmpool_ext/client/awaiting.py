"""The face for event loops: the same calls, to be awaited. `blocking.py` says more about each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from vmpool_ext.client import operations
from vmpool_ext.client.listing import Listing
from vmpool_ext.client.objects import PATIENCE, ShownPool, ShownVm, meant_server
from vmpool_ext.client.places import ByGrant, OfPool
from vmpool_ext.client.progress import watching
from vmpool_ext.client.transport import AwaitingTransport

if TYPE_CHECKING:
    from vmpool_ext.client.connection_file import ConnectionFile
    from vmpool_ext.client.places import Place
    from vmpool_ext.client.progress import Watch
    from vmpool_ext.client.views import Me, PoolView, VmFacts


class AsyncClient:
    """The VM pools of a Jupyter server.

    In a kernel it finds the server and its token by itself; elsewhere `url` and `token` name them, or the environment
    variables `VMPOOL_URL` and `VMPOOL_TOKEN`. `ca_file` is trusted for the server's certificate in place of the
    system's authorities. Raises `NoServer` where no server can be meant. There is nothing to close.
    """

    def __init__(self, url: str | None = None, token: str | None = None, *, ca_file: str | None = None) -> None:
        server = meant_server(url, token, ca_file)
        self._transport = AwaitingTransport(server, server.trust())

    @property
    def url(self) -> str:
        """The base address of the server."""
        return self._transport.server.url

    async def me(self) -> Me:
        """Tell who you are to the pools."""
        return await self._transport.do(operations.me)

    async def pools(self) -> Listing[AsyncPool]:
        """List the pools on which you have a permission."""
        return Listing(AsyncPool(self._transport, view) for view in await self._transport.do(operations.pools))

    async def pool(self, name: str) -> AsyncPool:
        """Give a pool; raise `PoolNotFound` if you have no permission on one of that name."""
        return AsyncPool(self._transport, await self._transport.do(operations.pool, name))

    async def vms(self) -> Listing[AsyncVm]:
        """List the VMs with grants of their own for you, whatever their pools do."""
        found = await self._transport.do(operations.vms)
        return Listing(AsyncVm(self._transport, facts, ByGrant(facts.name)) for facts in found)

    def __repr__(self) -> str:
        """Name the server, and no secret."""
        return f"<AsyncClient of {self.url}>"


class AsyncVm(ShownVm):
    """A VM as the server showed it last; `refresh` asks again."""

    def __init__(self, transport: AwaitingTransport, facts: VmFacts, place: Place) -> None:
        super().__init__(facts)
        self._transport = transport
        self._place = place

    async def refresh(self) -> Self:
        """Ask how it is."""
        return self._shown(await self._transport.do(operations.look, self._place))

    async def start(self, *, wait: bool = True, timeout: float = PATIENCE, progress: Watch | None = None) -> Self:
        """Switch it on, and wait as `AsyncPool.start` does."""
        patience = timeout if wait else None
        return self._shown(await self._transport.do(operations.start, self._place, patience, watching(progress)))

    async def wait(self, *, timeout: float = PATIENCE, progress: Watch | None = None) -> Self:
        """Wait until nothing is under way: it is off, or runs and its console can be opened."""
        return self._shown(await self._transport.do(operations.wait, self._place, timeout, watching(progress)))

    async def stop(self) -> Self:
        """Have it shut down; it stays yours. Returns at once: `wait` waits until it is off."""
        return self._shown(await self._transport.do(operations.act, self._place, "stop"))

    async def reset(self) -> Self:
        """Restart it as its reset button would: what is not saved is lost. Returns at once."""
        return self._shown(await self._transport.do(operations.act, self._place, "reset"))

    async def connection_file(self) -> ConnectionFile:
        """Open the console for virt-viewer; raise `NoConnectionFile` where a tab of JupyterLab opens it."""
        return await self._transport.do(operations.connection_file, self._place)

    def _shown(self, facts: VmFacts) -> Self:
        self._become(facts)
        return self


class AsyncPoolVm(AsyncVm):
    """A VM that is yours by a pool."""

    def __init__(self, transport: AwaitingTransport, facts: VmFacts, pool: str) -> None:
        super().__init__(transport, facts, OfPool(pool, facts.name))
        self.pool = pool

    async def release(self) -> None:
        """Give it back: whoever comes next may get it."""
        await self._transport.do(operations.release, OfPool(self.pool, self.name))


class AsyncPool(ShownPool):
    """A pool as the server showed it last; `refresh` asks again."""

    vm: AsyncPoolVm | None
    """Your VM of it, or None."""

    def __init__(self, transport: AwaitingTransport, view: PoolView) -> None:
        self._transport = transport
        self._show(view)

    async def refresh(self) -> Self:
        """Ask how it is."""
        return self._show(await self._transport.do(operations.pool, self.name))

    async def start(
        self, *, wait: bool = True, timeout: float = PATIENCE, progress: Watch | None = None
    ) -> AsyncPoolVm:
        """Give you a VM, the one that you have if there is one, and have it run.

        Waits until it runs and, where the pool logs its users in, until its console can be opened; with ``wait=False`` not
        at all. A notebook shows how far it has come; `progress`, where it is given, is called instead. Raises
        `PoolExhausted` and its like, what the VM came to if it does not run, and `WaitTimeout` after `timeout` seconds.
        Whatever ends the waiting, an interruption too, the VM stays yours.
        """
        patience = timeout if wait else None
        facts, vm = await self._transport.do(operations.start_pool, self.name, patience, watching(progress))
        self._become(facts)
        self.vm = given = AsyncPoolVm(self._transport, vm, self.name)
        return given

    def _show(self, view: PoolView) -> Self:
        self._become(view.pool)
        self.vm = AsyncPoolVm(self._transport, view.vm, self.name) if view.vm else None
        return self
