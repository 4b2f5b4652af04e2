"""Where the sockets of machines are, and who can get at them."""

import asyncio
import os
import shutil
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.backends.contract import watching
from tests.backends.qemu import viewer
from tests.backends.qemu.machines import (
    VM,
    an_empty_vm,
    processes,
    started,
    until_it_has,
)
from tests.builders import a_user
from vmpool_ext.backends.qemu.holder import IN_USE, Holder
from vmpool_ext.backends.qemu.places import Places, default_run_dir, make_private, prepare_run_dir, short_name
from vmpool_ext.backends.qemu.process import last_words
from vmpool_ext.backends.qemu.store import Store
from vmpool_ext.domain.errors import BackendUnavailable


async def test_a_folder_that_others_can_enter_is_not_used_until_it_is_mended(make_backend, home):
    (home / "run").mkdir(mode=0o755)
    backend = make_backend()
    await backend.start()

    with pytest.raises(BackendUnavailable, match="mode 0700"):
        await anext(backend.watch())
    (home / "run").chmod(0o700)

    await until_it_has(backend, lambda: anext(backend.watch()))
    await backend.stop()


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
async def test_a_store_that_others_could_replace_is_not_used_until_it_is_mended(make_backend, home, mode):
    (home / "state").mkdir()
    (home / "state").chmod(mode)
    backend = make_backend()
    await backend.start()

    with pytest.raises(BackendUnavailable, match=f"chmod 700 {home}/state"):
        await anext(backend.watch())
    (home / "state").chmod(0o700)

    await until_it_has(backend, lambda: anext(backend.watch()))
    await backend.stop()


async def test_two_stores_can_share_a_folder_for_sockets(serving, home):
    """Each has a VM of the same name, with a display of its own."""
    async with AsyncExitStack() as stack:
        displays = []
        for store in ("one", "two"):
            backend = await stack.enter_async_context(serving(state_dir=str(home / store)))
            seen = await stack.enter_async_context(watching(backend))
            await backend.apply(an_empty_vm())
            await started(backend, seen)
            displays.append((backend, seen))

        for backend, seen in displays:
            offer = await backend.offer_display(await seen.vm(VM), a_user("ann"))
            display = await backend.connect_display(await seen.vm(VM))
            await viewer.look(display, offer)
            await display.close()


def test_a_folder_of_somebody_else_is_refused(tmp_path):
    (tmp_path / "link").symlink_to("/")

    with pytest.raises(BackendUnavailable):
        prepare_run_dir(tmp_path / "link")


@pytest.mark.parametrize("make", [make_private, prepare_run_dir])
def test_folders_that_are_made_are_ones_own_whatever_the_umask(home, make):
    """Those above too: whoever could write there could put another in its place."""
    before = os.umask(0)
    try:
        make(home / "a" / "b")
    finally:
        os.umask(before)

    assert [folder.stat().st_mode & 0o777 for folder in (home / "a", home / "a" / "b")] == [0o700, 0o700]


def test_a_folder_that_another_account_made_first_is_refused(tmp_path):
    """Everybody can know what the default one will be called, and make it."""
    folder = Path("/usr")
    if os.getuid() == 0:
        folder = tmp_path / "run"
        folder.mkdir(mode=0o700)
        os.chown(folder, 65534, 65534)

    with pytest.raises(BackendUnavailable, match="Others can get into"):
        prepare_run_dir(folder)


def test_a_file_in_the_folders_place_is_refused(tmp_path):
    (tmp_path / "run").touch()

    with pytest.raises(BackendUnavailable, match="cannot be made"):
        prepare_run_dir(tmp_path / "run")


async def test_settings_that_are_relative_are_meant_from_where_the_server_is(serving, home, monkeypatch):
    """A machine works in another folder than the server."""
    monkeypatch.chdir(home)
    (home / "qemu").symlink_to(shutil.which("qemu-system-x86_64"))

    async with serving(run_dir="run", qemu="./qemu") as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())
        vm = await started(backend, seen)
        display = await backend.connect_display(vm)
        await viewer.look(display, await backend.offer_display(vm, a_user("ann")))
        await display.close()


def test_a_path_too_long_for_sockets_is_refused(tmp_path):
    with pytest.raises(BackendUnavailable, match="too long"):
        prepare_run_dir(tmp_path / ("x" * 80))


def test_the_default_folder_is_short_and_one_for_each_store(monkeypatch):
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    one, two = default_run_dir(Path("/home/ann/" + "deep/" * 50)), default_run_dir(Path("/home/bob"))

    assert one != two
    assert len(str(Places(one / short_name("x" * 253)).agent)) < 60


def test_what_others_could_read_in_an_open_folder_is_closed(tmp_path):
    """Definitions hold what guests are set up with."""
    (tmp_path / "state").mkdir(mode=0o755)
    (tmp_path / "state" / "store.sqlite").touch(mode=0o644)

    store = Store(tmp_path / "state" / "store.sqlite")
    store.write("VirtualMachine", "vm1", lambda _: {})

    modes = {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "state").iterdir()}
    assert modes == dict.fromkeys(["store.sqlite", "store.sqlite-wal", "store.sqlite-shm"], 0o600)
    store.close()


async def test_the_servers_tokens_are_not_in_a_machines_environment(serving, home, monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "a-secret-token")
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())
        await started(backend, seen)

        [process] = processes(home)
        environment = await asyncio.to_thread(Path(f"/proc/{process}/environ").read_bytes)
        assert b"PATH=" in environment
        assert b"a-secret-token" not in environment


def test_the_end_of_a_long_output_is_told(tmp_path):
    (tmp_path / "qemu.log").write_bytes(b"\xff noise " * 100_000 + b"the last words\n")

    words = last_words(tmp_path / "qemu.log")

    assert words.endswith("the last words")
    assert len(words) == 256


def test_a_lock_that_cannot_be_signed_holds_all_the_same(tmp_path):
    """As on a full disk."""
    (tmp_path / "lock").symlink_to("/dev/full")
    holder = Holder(tmp_path / "lock", "a test")

    holder.take()

    with pytest.raises(BackendUnavailable, match="another process") as refusal:
        Holder(tmp_path / "lock", "a second one").take()
    assert refusal.value.code == IN_USE
    holder.let_go()
