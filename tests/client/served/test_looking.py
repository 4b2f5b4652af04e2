"""What one sees of pools and VMs by the client: the server's words, in Python's."""

from datetime import timedelta

import pytest

from tests.client.backends import STRANGE
from vmpool_ext.client import NotFound, PoolNotFound, VmPoolError


async def test_pools_are_listed_by_name(client, do):
    """One goes through the pools, or takes one by its name."""
    pools = await do(client.pools)

    assert [pool.name for pool in pools] == sorted(["course", "demo", "held", "looking", "void", *STRANGE])
    assert pools["demo"].name == pools.demo.name == "demo"
    assert "demo" in pools
    assert "foreign" not in pools


async def test_a_name_that_is_not_listed_is_told_with_those_that_are(client, do):
    """A slip of the pen costs no look into the documentation."""
    pools = await do(client.pools)

    with pytest.raises(KeyError, match=r"demmo.*course, demo"):
        pools["demmo"]
    with pytest.raises(AttributeError, match="demmo"):
        pools.demmo  # noqa: B018


async def test_a_pool_has_the_fields_of_the_api(client, do):
    """Names of the API, as Python writes them."""
    pool = await do(client.pool, "looking")

    assert (pool.name, pool.free, pool.total, pool.retention) == ("looking", 1, 1, "PT4h")
    assert (pool.may, pool.vm) == (("accessConsole",), None)
    assert pool.why["stop"].code == "nothing-assigned"


async def test_a_vm_has_the_fields_of_the_api(client, do):
    """Times are times, not text."""
    pool = await do(client.pool, "demo")
    vm = await do(pool.start)

    assert (vm.name, vm.state, vm.booted, vm.os, vm.display) == ("demo-1", "running", True, "Nothing at all", "vnc")
    assert (vm.logged_in_user, vm.console, vm.may, vm.fault) == (None, "closed", (), None)
    assert vm.retained_until - vm.since > timedelta(hours=3)
    assert vm.why["start"].code == "already-running"


async def test_vms_with_grants_of_their_own_are_listed_too(client, do):
    """Those of pools are found at their pool."""
    vms = await do(client.vms)

    assert [vm.name for vm in vms] == ["own-1", "spice-1"]
    assert (vms["own-1"].state, vms["spice-1"].state) == ("stopped", "running")
    assert set(vms["own-1"].may) == {"accessConsole", "reset", "start", "stop", "takeConsole"}


@pytest.mark.parametrize("name", STRANGE)
async def test_a_pool_with_a_strange_name_is_reached(client, do, name):
    """Whatever stands in a name stays a name."""
    assert (await do(client.pool, name)).name == name


@pytest.mark.parametrize("name", ["", ".", "..", "nothing", "../me", "demo/start"])
async def test_no_name_leads_to_another_address(client, do, name):
    """A name that is a step in a path is one that no pool has."""
    with pytest.raises(PoolNotFound if "/" not in name else NotFound):
        await do(client.pool, name)


async def test_an_unknown_pool_is_told_by_code_and_status(client, do):
    """Those who catch it by its class can also look at what the server said."""
    with pytest.raises(PoolNotFound, match='There is no pool "nothing"') as caught:
        await do(client.pool, "nothing")

    assert isinstance(caught.value, VmPoolError)
    assert (caught.value.code, caught.value.status, caught.value.reason) == ("pool-not-found", 404, None)


async def test_one_is_told_who_one_is(client, do):
    """The name that pools know."""
    me = await do(client.me)

    assert (me.user, me.roles, me.administrator, me.mode) == ("ann", (), False, "local")


async def test_an_object_is_as_it_was_told_until_it_is_asked_again(client, do):
    """What is shown in one cell does not change behind its back."""
    pool, other = await do(client.pool, "demo"), await do(client.pool, "demo")
    await do(pool.start)
    assert other.vm is None

    await do(other.refresh)

    assert (other.vm.name, other.free) == (pool.vm.name, 1)


async def test_a_vm_says_state_user_and_end(client, do):
    """In a line, and as a table in a notebook."""
    pool = await do(client.pool, "course")
    vm = await do(pool.start)

    until = f"{vm.retained_until.astimezone():%Y-%m-%d %H:%M}"
    assert repr(vm) == f"<VM course-1: state: running, logged in: ann, kept until: {until}>"
    for shown in ("course-1", "running", "ann", until):
        assert f"<td>{shown}</td>" in vm._repr_html_()
    assert "your VM: course-1 (running)" in repr(pool)
    assert "2 of 2" not in pool._repr_html_()


async def test_what_a_server_says_is_no_markup(client, do):
    """A guest chooses the words of a fault, an administrator those of a name."""
    pools = await do(client.pools)

    assert "<b>" not in pools._repr_html_()
    assert "&lt;b&gt;bold" in pools._repr_html_()
