"""Brings machines up, and finds those that an earlier server left running."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from vmpool_ext.backends.qemu.accelerator import accelerator_options
from vmpool_ext.backends.qemu.command_line import Media, command_line, guest_of
from vmpool_ext.backends.qemu.disks import Disks
from vmpool_ext.backends.qemu.guest_image import GuestImage, find_image
from vmpool_ext.backends.qemu.homes import home_of, prepare_home
from vmpool_ext.backends.qemu.images import image_of
from vmpool_ext.backends.qemu.machine import Machine
from vmpool_ext.backends.qemu.places import Places, prepare_run_dir, short_name
from vmpool_ext.backends.qemu.process import Process, Record, find, find_program, last_words, spawn
from vmpool_ext.backends.qemu.qmp import MonitorError, Qmp
from vmpool_ext.backends.qemu.seed import seed_files, write_seed
from vmpool_ext.backends.qemu.serial_log import record
from vmpool_ext.backends.resources import POOL_KIND, vm_from_resource
from vmpool_ext.domain.errors import BackendUnavailable, InvalidDefinition

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from vmpool_ext.backends.qemu.disks import Disk
    from vmpool_ext.backends.qemu.store import Stored
    from vmpool_ext.backends.resources import Resource

    Lookup = Callable[[str, str], Awaitable[Stored | None]]

_T = TypeVar("_T")

DEFAULT_PROGRAM = "qemu-system-x86_64"
TO_END = 1.0
"""Seconds that a QEMU has to be gone when its monitor does not answer any more."""


class StartFailed(Exception):
    """A machine does not come up: says what happened and what to do."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How machines are made here."""

    state_dir: Path
    run_dir: Path
    homes_dir: Path
    image_cache: Path
    program: str
    accelerator: str
    start_timeout: float
    boot_timeout: float


class Launcher:
    """Makes machines of definitions."""

    def __init__(self, settings: Settings, look_up: Lookup) -> None:
        self._settings = settings
        self._look_up = look_up
        self._disks = Disks(settings.state_dir / "disks")
        self._in_hand: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """Of a VM whose disk is being given to a machine, or taken away."""

    async def launch(self, resource: Resource) -> Machine:
        """Start the VM's machine, or raise `StartFailed` and leave nothing running."""
        name = resource["metadata"]["name"]
        pools = await self._pools(resource)
        async with self._in_hand[name]:
            process = Process(await _to_the_end(partial(self._spawn, resource, pools), os.close))
        try:
            return await self._control(process, self._places(name), self._settings.start_timeout)
        except MonitorError:
            words = await self._why_no_answer(process, name)
            await self.forget(name)
            raise StartFailed(words) from None
        except BaseException:
            process.close()
            raise

    async def find(self, name: str, within: float | None = None) -> Machine | None:
        """Give the VM's machine if it is on; one that does not answer is ended, since nobody could ever stop it."""
        patience = self._settings.start_timeout if within is None else within
        found = await _to_the_end(partial(self._find, name), lambda found: os.close(found[0]) if found else None)
        if found is None:
            return None
        process, places = Process(found[0]), found[1]
        try:
            return await self._control(process, places, patience)
        except MonitorError:
            await _end(process)
            return None
        except BaseException:
            process.close()
            raise

    async def forget(self, name: str) -> None:
        """Remove the record of a machine that is off; one that stays is of a process that there is no more."""
        with suppress(OSError):
            await asyncio.to_thread(self._record(name).unlink)

    async def has_overlay(self, name: str) -> bool:
        """Whether the VM was started since its disk was made anew."""
        return await asyncio.to_thread(self._disks.has_overlay, name)

    async def discard(self, name: str) -> None:
        """Take the VM's disk away, so that the next start makes a fresh one; `BackendUnavailable` while it is on."""
        await self._take_away(name, self._disks.discard)

    async def remove_disk(self, name: str) -> None:
        """Remove the disk of a VM that is going, and its seed; `BackendUnavailable` while it is on."""
        await self._take_away(name, self._disks.remove)

    async def last_words(self, name: str) -> str:
        """Give the end of what the VM's QEMU said."""
        return await asyncio.to_thread(last_words, self._places(name).output)

    async def _take_away(self, name: str, take_away: Callable[[str], None]) -> None:
        def if_off() -> None:
            if found := self._find(name):
                os.close(found[0])
                message = f'The disk of the VM "{name}" is in use: stop the VM first.'
                raise BackendUnavailable(message)
            try:
                take_away(name)
            except OSError as error:
                message = f'The disk of the VM "{name}" cannot be removed: {error}.'
                raise BackendUnavailable(message) from error

        async with self._in_hand[name]:
            await _to_the_end(if_off, lambda _: None)

    async def _pools(self, vm: Resource) -> list[Resource]:
        names = sorted(vm_from_resource(vm, 0).pools)
        try:
            found = [await self._look_up(POOL_KIND, name) for name in names]
        except BackendUnavailable as error:
            raise StartFailed(str(error)) from error
        return [stored.resource for stored in found if stored and stored.resource]

    async def _control(self, process: Process, places: Places, within: float) -> Machine:
        # Heard from the first word on: a guest is up before its machine is written down.
        hearing = asyncio.create_task(record(places), name="vmpool serial log")
        try:
            monitor = await self._connect(process, places, within)
        except BaseException:
            hearing.cancel()
            await asyncio.wait({hearing})
            raise
        return Machine(process, monitor, places, hearing)

    async def _connect(self, process: Process, places: Places, within: float) -> Qmp:
        """Connect to the monitor while the process lives."""
        connecting = asyncio.ensure_future(Qmp.connect(places.qmp, within))
        try:
            first: set[asyncio.Future[Any]] = {connecting, process.exited}
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not connecting.done():
                connecting.cancel()
                await asyncio.wait({connecting})
        if connecting.cancelled():
            message = "QEMU ended"
            raise MonitorError(message)
        return connecting.result()

    async def _why_no_answer(self, process: Process, name: str) -> str:
        # The monitor of a QEMU that ends may break off before its process is gone.
        await asyncio.wait({process.exited}, timeout=TO_END)
        if not process.exited.done():
            await _end(process)
            return f"QEMU did not answer within {self._settings.start_timeout:g} seconds. Press Start to try again."
        process.close()
        return f"{process.exited.result()}: {await self.last_words(name) or 'it did not say why'}"

    def _spawn(self, resource: Resource, pools: list[Resource]) -> int:
        name = resource["metadata"]["name"]
        # Absolute: QEMU works in another folder than we do.
        places = Places(self._places(name).directory.absolute())
        try:
            accelerator = accelerator_options(self._settings.accelerator)
            program, media = self._program(), self._media(resource, pools)
            argv = command_line(resource, places, program, accelerator, media)
            prepare_run_dir(self._settings.run_dir)
            places.directory.mkdir(mode=0o700, exist_ok=True)
            places.serial.unlink(missing_ok=True)
            return spawn(argv, name, places, self._record(name))
        except (InvalidDefinition, BackendUnavailable) as error:
            raise StartFailed(str(error)) from error
        except OSError as error:
            message = f"QEMU cannot be started: {error}."
            raise StartFailed(message) from error

    def _media(self, resource: Resource, pools: list[Resource]) -> Media:
        name = resource["metadata"]["name"]
        guest, image = self._image(resource), image_of(resource, pools)
        disk = self._disks.prepare(name, image) if image else None
        home = home_of(resource, pools)
        folder = prepare_home(self._settings.homes_dir, home) if home else None
        return Media(guest, disk, self._seed(resource, disk), folder)

    def _seed(self, resource: Resource, disk: Disk | None) -> Path | None:
        path = self._disks.seed(resource["metadata"]["name"])
        if files := seed_files(resource, disk.identity if disk else ""):
            write_seed(path, files)
            return path
        path.unlink(missing_ok=True)
        return None

    def _program(self) -> str:
        wanted = self._settings.program
        if program := find_program(wanted):
            return program
        if wanted == DEFAULT_PROGRAM:
            message = "QEMU is not installed: apt install qemu-system-x86"
        else:
            message = f'There is no program "{wanted}": mend the setting QemuBackend.qemu.'
        raise StartFailed(message)

    def _image(self, resource: Resource) -> GuestImage | None:
        if guest_of(resource) is None:
            return None
        if image := find_image(self._settings.image_cache):
            return image
        message = "The demo guest is not built: run jupyter vmpool demo"
        raise StartFailed(message)

    def _find(self, name: str) -> tuple[int, Places] | None:
        record = Record.read(self._record(name))
        pidfd = find(record) if record and record.vm == name else None
        return (pidfd, Places(Path(record.directory))) if record and pidfd is not None else None

    def _places(self, name: str) -> Places:
        # By its store too: another one may have the same run_dir, and a VM of the same name.
        return Places(self._settings.run_dir / short_name(str((self._settings.state_dir / name).absolute())))

    def _record(self, name: str) -> Path:
        # With the state, which lasts, not with the sockets: a log-out may take those while QEMU goes on.
        return self._settings.state_dir / "machines" / f"{short_name(name)}.json"


async def _to_the_end(work: Callable[[], _T], let_go: Callable[[_T], None]) -> _T:
    """Have it done in a thread; whoever is cancelled meanwhile goes when it is done, and holds nothing of it."""
    working = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait({working})
        if working.exception() is None:
            let_go(working.result())
        raise


async def _end(process: Process) -> None:
    process.kill()
    await asyncio.shield(process.exited)
    process.close()
