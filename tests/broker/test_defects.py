"""What is wrong with how VMs are written down: told to administrators, briefly, and never a reason to give one away."""

from dataclasses import replace

import pytest

from tests.broker.conftest import following, until
from tests.builders import NOON, a_pool, a_user, a_vm
from vmpool_ext.backends.memory import MemoryBackend
from vmpool_ext.broker.ports import Behind
from vmpool_ext.broker.views import MOST_DEFECTS
from vmpool_ext.domain.defects import Defect, Wrong
from vmpool_ext.domain.errors import PoolExhausted
from vmpool_ext.domain.machine import NEVER, Assignment

ANN, BOB = a_user("ann"), a_user("bob")
ROOT = replace(a_user("root"), administrator=True)
NO_SPEC = Defect(Wrong.NO_SPEC)


def told(broker, user=ROOT):
    return [(notice.pool, notice.message) for notice in broker.overview(user).notices]


async def test_administrators_are_told_and_nobody_else(broker, backend):
    backend.put_vm(a_vm("broken", defects=(NO_SPEC,)))

    await until(lambda: told(broker))

    [notice] = broker.overview(ROOT).notices
    assert (notice.pool, notice.severity) == ("", "vm")
    assert notice.message.startswith('VM "broken": The definition has no spec')
    assert told(broker, ANN) == []


async def test_equal_ones_are_told_once_with_five_names_and_how_many_more(broker, backend):
    for n in range(8):
        backend.put_vm(a_vm(f"broken-{n}", defects=(NO_SPEC,)))

    await until(lambda: told(broker) and "3 more" in told(broker)[0][1])

    [(_, message)] = told(broker)
    assert message.startswith('VMs "broken-0", "broken-1", "broken-2", "broken-3", "broken-4" and 3 more: ')


async def test_what_is_mended_or_gone_is_told_no_more(broker, backend):
    backend.put_vm(a_vm("mended", defects=(NO_SPEC,)))
    backend.put_vm(a_vm("gone", defects=(NO_SPEC,)))
    await until(lambda: told(broker) and '"gone", "mended"' in told(broker)[0][1])

    backend.put_vm(a_vm("mended"))
    backend.delete_vm("gone")

    await until(lambda: told(broker) == [])


async def test_of_very_many_things_the_worst_are_told_and_that_there_are_more(broker, backend):
    for n in range(MOST_DEFECTS):
        backend.put_vm(a_vm(f"odd-{n}", defects=(Defect(Wrong.UNKNOWN_CONDITION, f"Odd{n:03}"),)))
    backend.put_vm(a_vm("worse", defects=(NO_SPEC,)))

    await until(lambda: len(told(broker)) == MOST_DEFECTS + 1)

    assert '"worse"' in told(broker)[0][1]
    assert told(broker)[-1] == ("", "More is wrong than can be told at once. Mend this first.")


# Pools that do not exist.


async def test_a_pool_that_vms_name_and_that_does_not_exist_is_told_until_it_does(broker, backend):
    backend.put_vm(a_vm("lost-1", pool="void"))
    backend.put_vm(a_vm("lost-2", pools=frozenset({"void", "win11"})))
    await until(lambda: told(broker) and "lost-2" in told(broker)[0][1])

    [(pool, message)] = told(broker)
    assert (pool, message[:42]) == ("void", 'VMs "lost-1", "lost-2": There is no pool "')

    backend.put_pool(a_pool("void"))
    await until(lambda: told(broker) == [])

    backend.delete_pool("void")
    await until(lambda: told(broker))


async def test_it_is_not_told_while_the_picture_may_be_stale(broker, backend):
    backend.put_vm(a_vm("lost", pool="void", defects=(NO_SPEC,)))
    await until(lambda: len(told(broker)) == 2)

    broker._inventory.take_in(Behind("backend-unavailable", "Nobody answers."))

    [(pool, message)] = told(broker)
    assert pool == ""
    assert "no spec" in message


# Assignments that cannot be read.


@pytest.mark.parametrize("user", [None, "ann"])
@pytest.mark.parametrize("wrong", [Wrong.PARTIAL_ASSIGNMENT, Wrong.ASSIGNMENT_TIME])
async def test_a_vm_of_which_it_is_not_clear_whose_it_is_is_given_to_nobody_else(clock, user, wrong):
    """As the others of its pool are: nobody is in it, and by what can be read its retention has ended."""
    assignment = Assignment("win11", user, NEVER) if user else None
    backend = MemoryBackend(
        clock, [a_pool()], [a_vm("vm1", assignment=assignment, defects=(Defect(wrong, "lastUsed"),))]
    )
    async with following(backend, clock) as broker:
        with pytest.raises(PoolExhausted):
            await broker.start(BOB, "win11")
        await clock.advance(hours=1000)
        with pytest.raises(PoolExhausted):
            await broker.start(BOB, "win11")

        assert backend.vm("vm1").assignment == assignment


async def test_whose_it_is_writes_it_anew_by_pressing_start(clock):
    unclear = a_vm("vm1", user="ann", defects=(Defect(Wrong.ASSIGNMENT_TIME),))
    backend = MemoryBackend(clock, [a_pool()], [unclear])
    async with following(backend, clock) as broker:
        started = await broker.start(ANN, "win11")

        assert (started.pool.vm.name, started.newly) == ("vm1", False)
        assert backend.vm("vm1").assignment == Assignment("win11", "ann", NOON)


async def test_nobody_is_logged_out_of_a_vm_of_which_it_is_not_clear_whose_it_is(clock):
    defect = Defect(Wrong.PARTIAL_ASSIGNMENT, "pool, lastUsed")
    vm = a_vm("vm1", running=True, logged_in_user="ann", defects=(defect,))
    backend = MemoryBackend(clock, [a_pool()], [replace(vm, agent_connected=vm.running)])
    async with following(backend, clock):
        for _ in range(50):
            await until(lambda: True)

        assert backend.vm("vm1").logged_in_user == "ann"
