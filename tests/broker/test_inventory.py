"""The picture follows the events, whatever order own writes and lists come in."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.builders import a_pool, a_vm
from vmpool_ext.broker.inventory import Inventory
from vmpool_ext.broker.ports import Listed, PoolChanged, PoolDeleted, VmChanged, VmDeleted
from vmpool_ext.domain.assignment import warm_first
from vmpool_ext.domain.errors import BackendUnavailable
from vmpool_ext.domain.machine import Assignment


def at(version, vm):
    return replace(vm, version=version)


@pytest.fixture
def inventory(clock):
    inventory = Inventory(clock)
    inventory.take_in(Listed((a_pool(),), (at(1, a_vm("vm1")), at(2, a_vm("vm2"))), 2))
    return inventory


def test_an_older_state_never_replaces_a_newer_one(inventory):
    inventory.observe(at(9, a_vm("vm1", user="ann")))

    inventory.take_in(VmChanged(at(8, a_vm("vm1"))))

    assert [vm.name for vm in inventory.assigned("win11", "ann")] == ["vm1"]


def test_what_is_told_of_a_version_corrects_what_was_taken_for_it_and_not_the_other_way_round(inventory):
    taken_for, told = at(9, a_vm("vm1", user="ann")), at(9, a_vm("vm1", user="ann", os="Debian"))
    inventory.observe(taken_for)

    inventory.take_in(VmChanged(told))
    inventory.observe(taken_for)

    assert inventory.vms["vm1"] == told
    assert inventory.assigned("win11", "ann") == [told]


def test_a_list_keeps_what_was_written_after_it_was_made(inventory):
    inventory.observe(at(9, a_vm("vm1", user="ann")))

    inventory.take_in(Listed((a_pool(),), (at(1, a_vm("vm1")),), 5))

    assert inventory.vms["vm1"].version == 9
    assert set(inventory.vms) == {"vm1"}, "what is not listed is gone"
    assert inventory.total("win11") == 1


def test_an_old_deletion_does_not_take_what_was_made_anew(inventory):
    inventory.observe(at(9, a_vm("vm1")))

    inventory.take_in(VmDeleted("vm1", 8))
    assert "vm1" in inventory.vms
    inventory.take_in(VmDeleted("vm1", 10))
    assert "vm1" not in inventory.vms


@pytest.mark.parametrize("gone", [VmDeleted("vm1", 10), Listed((a_pool(),), (at(2, a_vm("vm2")),), 10)])
def test_an_own_write_that_is_told_after_the_deletion_does_not_bring_the_vm_back(inventory, gone):
    """Else it would be chosen for ever, and whoever came after would wait for what became of it."""
    inventory.take_in(gone)

    inventory.observe(at(9, a_vm("vm1")))

    assert set(inventory.vms) == {"vm2"}
    inventory.take_in(VmChanged(at(11, a_vm("vm1"))))
    assert set(inventory.vms) == {"vm1", "vm2"}, "it was made anew"


def test_a_reserved_vm_is_no_choice_until_it_is_put_back_or_changes(inventory):
    first, second = inventory.reserve("win11"), inventory.reserve("win11")
    assert (first.name, second.name) == ("vm1", "vm2")
    assert inventory.reserve("win11") is None

    inventory.put_back(second)
    assert inventory.reserve("win11") == second
    inventory.take_in(VmChanged(at(3, a_vm("vm1"))))
    assert inventory.reserve("win11").name == "vm1"


def test_a_reserved_vm_that_is_told_of_again_as_it_was_stays_reserved(inventory):
    inventory.reserve("win11")
    inventory.take_in(PoolChanged(a_pool(retention="PT2h")))

    assert inventory.free("win11") == 1


async def test_a_refusal_waits_for_what_is_on_its_way(inventory):
    reserved = inventory.reserve("win11")
    waiting = asyncio.create_task(inventory.undecided("win11"))
    await asyncio.sleep(0)
    assert not waiting.done()

    inventory.put_back(reserved)

    assert await waiting is True
    assert await inventory.undecided("win11") is False


async def test_a_deleted_vm_is_on_its_way_to_nobody(inventory):
    inventory.reserve("win11")
    waiting = asyncio.create_task(inventory.undecided("win11"))
    await asyncio.sleep(0)

    inventory.take_in(VmDeleted("vm1", 7))

    assert await waiting is True


async def test_who_waits_for_a_version_is_told_when_events_end(inventory):
    waiting = asyncio.create_task(inventory.seen(99))
    await asyncio.sleep(0)

    inventory.lose("backend-unavailable", "gone")

    with pytest.raises(BackendUnavailable, match="gone"):
        await waiting


async def test_who_waits_for_a_version_waits_for_the_event_not_for_an_own_write(inventory):
    waiting = asyncio.create_task(inventory.seen(9))
    inventory.observe(at(9, a_vm("vm1")))
    await asyncio.sleep(0)
    assert not waiting.done()

    inventory.take_in(VmChanged(at(9, a_vm("vm1"))))

    await waiting


def test_the_first_assigned_comes_first_and_a_renewal_is_no_new_assignment(inventory):
    inventory.take_in(VmChanged(at(3, a_vm("vm2", user="ann"))))
    inventory.take_in(VmChanged(at(4, a_vm("vm1", user="ann"))))
    inventory.take_in(VmChanged(at(5, a_vm("vm2", user="ann", running=True))))

    assert [vm.name for vm in inventory.assigned("win11", "ann")] == ["vm2", "vm1"]


def test_the_order_of_assignments_survives_a_new_list(inventory):
    inventory.take_in(VmChanged(at(3, a_vm("vm2", user="ann"))))
    inventory.take_in(VmChanged(at(4, a_vm("vm1", user="ann"))))
    later = (at(8, a_vm("vm2", user="ann", running=True)), at(4, a_vm("vm1", user="ann")))

    inventory.take_in(Listed((a_pool(),), later, 8))

    assert [vm.name for vm in inventory.assigned("win11", "ann")] == ["vm2", "vm1"]


def test_a_vm_counts_in_each_of_its_pools_and_leaves_all_when_reserved_in_one(clock):
    inventory = Inventory(clock)
    both = at(1, a_vm("vm1", pools=frozenset({"win11", "debian"})))
    inventory.take_in(Listed((a_pool(), a_pool("debian")), (both,), 1))
    assert (inventory.free("win11"), inventory.free("debian")) == (1, 1)

    inventory.reserve("debian")

    assert (inventory.free("win11"), inventory.free("debian")) == (0, 0)


def test_a_deleted_pool_gives_nothing_and_what_it_gave_is_kept(inventory):
    inventory.take_in(VmChanged(at(3, a_vm("vm1", user="ann"))))
    inventory.take_in(PoolDeleted("win11", 4))

    assert inventory.free("win11") == 0
    assert inventory.assigned("win11", "ann")


def test_a_changed_pool_has_only_those_vms_looked_at_again_that_it_counts_for(clock):
    judged = set()
    inventory = Inventory(clock, prefer=lambda vm: judged.add(vm.name) or warm_first(vm))
    others = [at(n, a_vm(f"other{n}")) for n in range(1, 101)]
    its_own, given_by_it = a_vm("its-own", pool="debian"), a_vm("given-by-it", pools=frozenset({"win11"}))
    given_by_it = replace(given_by_it, assignment=Assignment("debian", "ann", clock.now() - timedelta(hours=1)))
    pools = (a_pool(retention="PT1m"), a_pool("debian", retention="PT4h"))
    inventory.take_in(Listed(pools, (*others, its_own, given_by_it), 200))
    assert (inventory.free("win11"), inventory.free("debian")) == (100, 1)
    inventory.take_touched()
    judged.clear()

    inventory.take_in(PoolChanged(a_pool("debian", retention="PT1m")))

    assert (inventory.free("win11"), inventory.free("debian")) == (101, 1)
    assert inventory.take_touched() == judged == {"its-own", "given-by-it"}


def test_a_problem_is_dated_from_its_beginning(inventory, clock):
    inventory.lose("backend-unavailable", "gone")
    since = inventory.problem.since
    inventory.lose("backend-unavailable", "still gone")

    assert inventory.problem.since == since
