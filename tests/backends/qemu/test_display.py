"""Who sees a machine's display, and what is left of that."""

import asyncio
import logging
import os
import signal

import pytest

from tests.backends.contract import PATIENCE, watching
from tests.backends.qemu import viewer
from tests.backends.qemu.machines import (
    VM,
    an_empty_vm,
    failed,
    process_of,
    processes,
    started,
    words_of,
)
from tests.backends.qemu.standin import REFUSES_EXPIRY, a_standin, asked_of
from tests.builders import a_user
from vmpool_ext.broker.ports import DisplayOffer
from vmpool_ext.domain.errors import BackendUnavailable


async def test_a_viewer_that_does_not_know_the_password_is_nobody(serving):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())
        vm = await started(backend, seen)
        offer = await backend.offer_display(vm, a_user("ann"))
        stranger, ann = [await backend.connect_display(vm) for _ in range(2)]

        with pytest.raises(PermissionError):
            await viewer.look(stranger, DisplayOffer("vnc", "guessed!"))
        await viewer.look(ann, offer)
        open_ = await seen.vm(VM, lambda vm: vm.console_open)
        await stranger.close()
        await ann.close()

        closed = await seen.vm(VM, lambda vm: not vm.console_open)
        # Nothing in between: what the stranger did is no news.
        assert closed.version == open_.version + 1


async def test_a_console_ends_with_its_machine(serving, home):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())
        vm = await started(backend, seen)
        display = await backend.connect_display(vm)
        await viewer.look(display, await backend.offer_display(vm, a_user("ann")))
        await seen.vm(VM, lambda vm: vm.console_open)

        os.kill(process_of(home), signal.SIGKILL)

        off = await failed(seen)
        assert not off.console_connected
        while await asyncio.wait_for(display.read(), PATIENCE):
            pass
        await display.write(b"to nobody")
        await display.close()


async def test_a_password_is_in_no_log_and_in_no_process_list(serving, home, caplog):
    caplog.set_level(logging.DEBUG)
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())
        vm = await started(backend, seen)

        offer = await backend.offer_display(vm, a_user("ann"))

        assert len(offer.password) == 8
        assert offer.password not in caplog.text
        [process] = processes(home)
        assert offer.password not in words_of(process)


async def test_a_password_that_cannot_be_made_to_end_is_never_good(serving, home):
    """Every command before the one that fails leaves the display closed."""
    async with serving(qemu=a_standin(home, REFUSES_EXPIRY)) as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())
        vm = await started(backend, seen)

        with pytest.raises(BackendUnavailable, match="QEMU refuses expire_password"):
            await backend.offer_display(vm, a_user("ann"))

        asked = [(one["execute"], one["arguments"]["time"]) for one in asked_of(home) if "expire" in one["execute"]]
        commands = [one["execute"] for one in asked_of(home)]
        assert asked == [("expire_password", "now"), ("expire_password", "+10")]
        assert commands.index("expire_password") < commands.index("set_password")
