"""From Start to a guest that answers: real QEMU in software emulation, and the demo guest.

A cold start ends when the panel would say that the guest is up: its agent has greeted. A warm one ends when the display of
a VM that ran already, and in which nobody was, has greeted the console that its new user opened.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.fields import CLOCK, a_directory, following
from benchmarks.report import Table, holds
from vmpool_ext.app.demo import USER, demo_definitions
from vmpool_ext.backends.qemu.backend import QemuBackend
from vmpool_ext.backends.qemu.guest_image import build_image, default_cache
from vmpool_ext.broker.ports import Listed, VmChanged
from vmpool_ext.domain.machine import RequestedState
from vmpool_ext.domain.user import User

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from vmpool_ext.broker.broker import PoolBroker
    from vmpool_ext.broker.views import PoolView
    from vmpool_ext.domain.machine import VirtualMachine

REPEATS = 7
MOST_COLD = 5.0
MOST_WARM = 0.3
POOL = "demo"
SOMEBODY = User(USER)


def tables() -> Iterable[Table]:
    """Start a VM again and again, by turns from nothing and from a spare."""
    build_image(default_cache(), lambda _: None)
    colds, warms = zip(*asyncio.run(_measure()), strict=True)
    yield Table(
        "guests",
        ("from Start", "median, s", "longest, s", "repeats", "target, s", "holds"),
        [
            _row("to the greeting of the guest's agent, from a VM that is off", colds, MOST_COLD),
            _row("to the greeting of the display, from a warm spare", warms, MOST_WARM),
        ],
    )


def _row(words: str, seconds: tuple[float, ...], most: float) -> tuple[str, ...]:
    middle = median(seconds)
    return words, f"{middle:.3f}", f"{max(seconds):.3f}", str(len(seconds)), f"{most}", holds(middle, most)


async def _measure() -> list[tuple[float, float]]:
    async with _demo() as backend, following(backend) as broker:
        return [(await _cold(broker), await _warm(backend, broker)) for _ in range(REPEATS)]


@asynccontextmanager
async def _demo() -> AsyncIterator[QemuBackend]:
    """Serve the demo pool, with one VM."""
    with a_directory() as state, TemporaryDirectory(prefix="vmp-") as run:
        backend = QemuBackend(CLOCK)
        backend.state_dir, backend.run_dir = str(state), run
        backend.accelerator, backend.stop_vms_on_exit = "tcg", True
        await backend.start()
        for definition in demo_definitions()[:2]:
            await backend.apply(definition)
        yield backend
        await backend.stop()


async def _cold(broker: PoolBroker) -> float:
    began = time.perf_counter()
    await broker.start(SOMEBODY, POOL)
    await _shown(broker, lambda pool: pool.vm is not None and pool.vm.booted)
    took = time.perf_counter() - began
    await broker.stop(SOMEBODY, POOL)
    await _shown(broker, lambda pool: pool.vm is not None and pool.vm.state == "stopped")
    await broker.release(SOMEBODY, POOL)
    await _shown(broker, lambda pool: pool.free == 1)
    return took


async def _warm(backend: QemuBackend, broker: PoolBroker) -> float:
    await backend.request_state(await _vm(backend), RequestedState.RUNNING)
    await _vm(backend, lambda vm: vm.agent_there)
    began = time.perf_counter()
    await broker.start(SOMEBODY, POOL)
    offer = await broker.open_console(SOMEBODY, POOL)
    console = await broker.connect_console(SOMEBODY, offer.vm, offer.ticket)
    await console.display.read()
    took = time.perf_counter() - began
    await broker.release(SOMEBODY, POOL)
    await backend.request_state(await _vm(backend, lambda vm: vm.assignment is None), RequestedState.STOPPED)
    await _vm(backend, lambda vm: not vm.running)
    return took


async def _shown(broker: PoolBroker, is_so: Callable[[PoolView], bool]) -> None:
    """Wait until a panel would show it."""
    async for picture in broker.watch(SOMEBODY):
        if is_so(picture.pools[0]):
            return


async def _vm(backend: QemuBackend, is_so: Callable[[VirtualMachine], object] = lambda _: True) -> VirtualMachine:
    """Give the one VM as soon as it is so."""
    async for event in backend.watch():
        for vm in event.vms if isinstance(event, Listed) else [event.vm] if isinstance(event, VmChanged) else []:
            if is_so(vm):
                return vm
    raise AssertionError
