"""Real guests with the agent in them, and the folder that they share as their home."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.guest.homes import Homes
from tests.guest.machine import Machine
from vmpool_ext.backends.qemu.guest_image import build_image, default_cache


@pytest.fixture(scope="session")
def image():
    """The demo guest; the first test run on a machine downloads it."""
    return build_image(default_cache(), print)


@pytest.fixture(scope="module")
def short_folder():
    """A folder with a path short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="vmg-") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def homes(short_folder):
    (short_folder / "home").mkdir()
    return Homes(short_folder / "home")


@pytest.fixture(scope="module")
def boot(short_folder, homes, image):
    """Gives a function that boots a guest and gives it when it has greeted."""
    with ExitStack() as stack:

        def boot(name, image=image, memory=192):
            folder = short_folder / name
            folder.mkdir()
            machine = Machine(folder, homes, image, memory)
            stack.callback(machine.end)
            assert machine.call() == "220 Hello"
            return machine

        yield boot


@pytest.fixture(scope="module")
def guest(boot):
    return boot("one")


@pytest.fixture
def nobody(guest):
    """The guest, with nobody logged in before and after."""
    assert guest.tell("logout").startswith("202 ")
    yield guest
    assert guest.tell("logout").startswith("202 ")
