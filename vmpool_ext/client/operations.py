"""All that the client does, written once, for both faces: `link.py` says how."""

from __future__ import annotations

from asyncio import CancelledError
from typing import TYPE_CHECKING, Any

from vmpool_ext.client.connection_file import ConnectionFile
from vmpool_ext.client.errors import NoConnectionFile, NothingAssigned, NotRunning, Unavailable
from vmpool_ext.client.link import Request
from vmpool_ext.client.places import OfPool, act_on_pool, look_at_pool
from vmpool_ext.client.views import Me, PoolFacts, PoolView, VmFacts, read_me, read_pool, read_vm
from vmpool_ext.client.waiting import settled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vmpool_ext.client.link import Link
    from vmpool_ext.client.places import Place
    from vmpool_ext.client.progress import Watch

PATIENCE = 15.0
"""Seconds for which what the server cannot do now is asked for again, when it says that this helps."""


async def me(link: Link) -> Me:
    """Ask who asks."""
    return read_me(await _ask(link, Request("GET", "me")))


async def pools(link: Link) -> list[PoolView]:
    """Ask for all pools."""
    told = await _ask(link, Request("GET", "pools"))
    return [read_pool(each) for each in told["pools"]]


async def pool(link: Link, name: str) -> PoolView:
    """Ask for one pool."""
    return read_pool(await _ask(link, look_at_pool(name)))


async def vms(link: Link) -> list[VmFacts]:
    """Ask for all VMs with grants of their own."""
    told = await _ask(link, Request("GET", "vms"))
    return [read_vm(each) for each in told["vms"]]


async def look(link: Link, place: Place) -> VmFacts:
    """Ask how a VM is."""
    return place.seen(await _ask(link, place.look()))


async def act(link: Link, place: Place, action: str) -> VmFacts:
    """Have something done with a VM, and tell how it is then.

    A pool's address is about whichever VM is yours by now: whether it is this one is asked first, since a stop or a
    reset of another one would lose work.
    """
    await look(link, place)
    return place.done(await _ask(link, place.act(action)))


async def release(link: Link, place: OfPool) -> None:
    """Give a VM back."""
    await look(link, place)
    await _ask(link, place.act("release"))


async def wait(link: Link, place: Place, patience: float, watch: Watch) -> VmFacts:
    """Wait until nothing is under way with a VM."""
    seen = await look(link, place)
    return await settled(link, place, seen, patience, watch)


async def start(link: Link, place: Place, patience: float | None, watch: Watch) -> VmFacts:
    """Start a VM; wait until it can be used unless `patience` is None."""
    begun = await act(link, place, "start")
    if patience is None:
        return begun
    return _require_running(await settled(link, place, begun, patience, watch))


async def start_pool(link: Link, name: str, patience: float | None, watch: Watch) -> tuple[PoolFacts, VmFacts]:
    """Get a VM of a pool and start it; wait until it can be used unless `patience` is None."""
    facts, vm = read_pool(await _ask_for_vm(link, name))
    if vm is None:
        message = f'The pool "{name}" gave a VM that was taken back at once. Start again.'
        raise NothingAssigned(NothingAssigned.kind, message)
    if patience is None:
        return facts, vm
    ready = _require_running(await settled(link, OfPool(name, vm.name), vm, patience, watch))
    return (await pool(link, name)).pool, ready


async def connection_file(link: Link, place: Place) -> ConnectionFile:
    """Ask for what virt-viewer opens the console with.

    Asking opens the console: whoever may take it over from somebody disconnects them by it. So nothing is asked where
    there cannot be a file.
    """
    seen = await look(link, place)
    told: Mapping[str, Any] = {}
    if seen.display == "spice":
        told = await _ask(link, place.act("console"))
    if not told.get("file"):
        message = f'There is no connection file for the VM "{seen.name}": open its console in JupyterLab, in a tab.'
        raise NoConnectionFile(NoConnectionFile.kind, message)
    return ConnectionFile(told["file"]["name"], told["file"]["content"])


async def _ask_for_vm(link: Link, pool_name: str) -> Any:
    try:
        return await _ask(link, act_on_pool(pool_name, "start"))
    except (KeyboardInterrupt, CancelledError) as error:
        error.add_note(f'The pool "{pool_name}" may have given you a VM all the same: pool("{pool_name}").vm tells.')
        raise


async def _ask(link: Link, request: Request) -> Any:
    """Ask; and again where the server is not ready and says when it may be."""
    waited = 0.0
    while True:
        try:
            return await link.ask(request)
        except Unavailable as error:
            if error.retry_after is None or waited + error.retry_after > PATIENCE:
                raise
            pause = error.retry_after
        waited += pause
        await link.pause(pause)


def _require_running(vm: VmFacts) -> VmFacts:
    if vm.state != "running":
        message = f'The VM "{vm.name}" was stopped while it was waited for. It stays yours: start() starts it again.'
        raise NotRunning(NotRunning.kind, message)
    return vm
