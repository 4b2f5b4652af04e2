"""What one does with a VM that one has."""

import stat
from dataclasses import replace

import pytest

from vmpool_ext.client import NoConnectionFile, NothingAssigned, NotRunning


@pytest.fixture
async def vm(client, do):
    return await do((await do(client.pool, "demo")).start)


async def test_a_vm_is_stopped_and_started_again(do, vm):
    """It stays the user's in between."""
    assert (await do(vm.stop)).state == "stopping"
    assert (await do(vm.wait)).state == "stopped"

    assert (await do(vm.start)).state == "running"
    assert vm.name == "demo-1"


async def test_a_vm_is_reset(do, vm, backend):
    """It boots again."""
    before = backend.vm("demo-1").booted

    assert await do(vm.reset) is vm

    assert (await do(vm.wait)).state == "running"
    assert backend.vm("demo-1").booted != before


async def test_a_vm_is_given_back(client, do, vm):
    """Others may have it then, and nothing more is to be had of it by the old name."""
    await do(vm.release)

    pool = await do(client.pool, "demo")
    assert (pool.vm, pool.free) == (None, 2)
    for act in (vm.refresh, vm.start, vm.stop, vm.reset, vm.wait, vm.release, vm.connection_file):
        with pytest.raises(NothingAssigned, match="not yours any more"):
            await do(act)
    assert (await do(pool.refresh)).vm is None


async def test_no_act_is_done_to_another_vm_than_the_one_that_was_meant(do, vm, backend):
    """Who has got another one since would lose what is in it."""
    other = replace(backend.vm("demo-1"), name="demo-2")
    backend.put_vm(replace(backend.vm("demo-1"), assignment=None))
    backend.put_vm(other)

    for act in (vm.stop, vm.reset, vm.release):
        with pytest.raises(NothingAssigned):
            await do(act)

    assert backend.vm("demo-2").assignment == other.assignment
    assert backend.vm("demo-2").running == other.running


async def test_a_refusal_says_what_stands_against_it(client, do):
    """By the class that is its code's."""
    own = (await do(client.vms))["own-1"]

    with pytest.raises(NotRunning, match="not running"):
        await do(own.stop)


async def test_a_connection_file_is_saved_for_its_user_alone(client, do, tmp_path):
    """It holds a password; an older file of the same name, open to all, is replaced."""
    (tmp_path / "spice-1.vv").touch(0o666)
    file = await do((await do(client.vms))["spice-1"].connection_file)

    path = file.save(tmp_path)

    assert path == tmp_path / "spice-1.vv"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == file.content
    assert file.content.startswith("[virt-viewer]\ntype=spice\n")


async def test_a_connection_file_hides_its_password(client, do):
    """A cell shows what its last line gives."""
    file = await do((await do(client.vms))["spice-1"].connection_file)
    (password,) = [line for line in file.content.splitlines() if line.startswith("password=")]

    assert password.removeprefix("password=") not in repr(file)


async def test_where_there_is_no_connection_file_no_console_is_opened(do, vm, backend):
    """To ask for a console may disconnect somebody."""
    with pytest.raises(NoConnectionFile, match="in JupyterLab"):
        await do(vm.connection_file)

    assert backend.vm("demo-1").console_user is None
