"""A backend whose files are its own, and whose VMs do not outlive the test."""

import asyncio
import logging
import os
import shutil
import signal
import tempfile
from contextlib import asynccontextmanager
from logging.handlers import QueueHandler
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from tests.backends.contract import PATIENCE
from tests.backends.qemu.machines import processes
from vmpool_ext.backends.qemu.backend import QemuBackend
from vmpool_ext.backends.qemu.guest_image import build_image, default_cache


@pytest.fixture(autouse=True)
def nothing_blocks():
    with blockbuster_ctx("vmpool_ext"):
        yield


@pytest.fixture
def home():
    """A folder with a path short enough for sockets."""
    folder = Path(tempfile.mkdtemp(prefix="vmp-"))
    yield folder
    for process in processes(folder):
        os.kill(process, signal.SIGKILL)
    shutil.rmtree(folder)


@pytest.fixture
def logged():
    """Wait until something was logged with these words in it."""
    log, records = logging.getLogger("vmpool_ext"), asyncio.Queue()
    handler = QueueHandler(records)
    log.addHandler(handler)

    async def logged(words):
        async with asyncio.timeout(PATIENCE):
            while words not in (await records.get()).getMessage():
                pass

    yield logged
    log.removeHandler(handler)


@pytest.fixture(scope="session")
def image_cache():
    """The user's own, with the demo guest in it as its recipe is now."""
    cache = default_cache()
    build_image(cache, lambda _: None)
    return cache


@pytest.fixture
def make_backend(clock, home, image_cache):
    def make(**traits):
        backend = QemuBackend(clock)
        files = {"state_dir": str(home / "state"), "run_dir": str(home / "run"), "image_cache": str(image_cache)}
        for name, value in {**files, "accelerator": "tcg", **traits}.items():
            setattr(backend, name, value)
        return backend

    return make


@pytest.fixture
def serving(make_backend):
    """Start a backend, and stop it in the end; its VMs too, unless they are to live on."""

    @asynccontextmanager
    async def serving(*, vms_live_on=False, **traits):
        backend = make_backend(stop_vms_on_exit=not vms_live_on, **traits)
        await backend.start()
        try:
            yield backend
        finally:
            await backend.stop()

    return serving
