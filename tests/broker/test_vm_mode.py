"""VMs by grants of their own: no permission, no effect; a foreign VM looks like none; what is taken is audited (R6, R9)."""

import logging
from datetime import timedelta

import pytest

from tests.broker.conftest import following, until
from tests.builders import a_pool, a_user, a_vm
from vmpool_ext.backends.memory import MemoryBackend
from vmpool_ext.domain.errors import (
    AssignedToAnother,
    BeingPrepared,
    ConsoleInUse,
    InvalidTicket,
    PermissionMissing,
    VmNotFound,
    VmPoolError,
)
from vmpool_ext.domain.machine import RequestedState, SessionMark
from vmpool_ext.domain.permission import Grant, Permission, parse_permissions

MINUTE = timedelta(minutes=1)
ANN, BOB, CAROL, MALLORY = (a_user(name) for name in ("ann", "bob", "carol", "mallory"))
ACTS = {
    "start_vm": Permission.START,
    "stop_vm": Permission.STOP,
    "reset_vm": Permission.RESET,
    "open_vm_console": Permission.ACCESS_CONSOLE,
}


def granting(*words, to="carol"):
    return (Grant(parse_permissions(words), user=to),)


@pytest.fixture
def vm():
    return a_vm("vm1", running=True, grants=granting("*"))


@pytest.mark.parametrize("act", ACTS)
async def test_a_foreign_vm_cannot_be_told_from_none(clock, vm, act):
    backend = MemoryBackend(clock, [a_pool()], [vm])
    before = backend.vm("vm1")
    async with following(backend, clock) as broker:
        with pytest.raises(VmNotFound) as foreign:
            await getattr(broker, act)(MALLORY, "vm1")
        with pytest.raises(VmNotFound) as unknown:
            await getattr(broker, act)(MALLORY, "vm9")

    assert str(foreign.value).replace("vm1", "vm9") == str(unknown.value)
    assert foreign.value.code == unknown.value.code
    assert backend.vm("vm1") == before


@pytest.mark.parametrize(("act", "needed"), ACTS.items())
@pytest.mark.parametrize("running", [False, True])
async def test_each_act_needs_its_own_permission_and_has_no_effect_without(clock, act, needed, running):
    others = [str(each) for each in Permission if each not in (needed, Permission.TAKE_CONSOLE)]
    backend = MemoryBackend(clock, [a_pool()], [a_vm("vm1", running=running, grants=granting(*others))])
    before = backend.vm("vm1")
    async with following(backend, clock) as broker:
        with pytest.raises(PermissionMissing):
            await getattr(broker, act)(CAROL, "vm1")

    assert backend.vm("vm1") == before


@pytest.mark.parametrize(("act", "needed"), ACTS.items())
async def test_with_it_alone_the_act_is_done(clock, act, needed):
    running = act != "start_vm"
    backend = MemoryBackend(clock, [a_pool()], [a_vm("vm1", running=running, grants=granting(str(needed)))])
    before = backend.vm("vm1").version
    async with following(backend, clock) as broker:
        await getattr(broker, act)(CAROL, "vm1")

    assert backend.vm("vm1").version > before


@pytest.mark.parametrize("act", ["stop_vm", "reset_vm", "start_vm"])
async def test_an_act_on_a_vm_leaves_it_whose_it_is(clock, act):
    vm = a_vm("vm1", user="ann", running=act != "start_vm", grants=granting("*"))
    backend = MemoryBackend(clock, [a_pool()], [vm])
    async with following(backend, clock) as broker:
        await getattr(broker, act)(CAROL, "vm1")

    assert backend.vm("vm1").assignment == vm.assignment


@pytest.mark.parametrize(
    ("more", "refusal"),
    [
        ({"user": "ann"}, AssignedToAnother),
        ({"console": (True, MINUTE), "console_user": "bob"}, ConsoleInUse),
    ],
)
async def test_who_may_only_look_disturbs_nobody(clock, more, refusal):
    backend = MemoryBackend(clock, [a_pool()], [a_vm("vm1", running=True, grants=granting("accessConsole"), **more)])
    before = backend.vm("vm1")
    async with following(backend, clock) as broker:
        with pytest.raises(refusal):
            await broker.open_vm_console(CAROL, "vm1")

    assert backend.vm("vm1") == before


async def test_a_grant_on_the_vm_is_no_way_round_the_handover(clock):
    vm = a_vm("vm1", user="carol", running=True, grants=granting("accessConsole"))
    unclean = {"session": SessionMark("ann", vm.running.since)}
    backend = MemoryBackend(clock, [a_pool()], [a_vm("vm1", user="carol", running=True, grants=vm.grants, **unclean)])
    async with following(backend, clock) as broker:
        with pytest.raises(BeingPrepared):
            await broker.open_vm_console(CAROL, "vm1")
        await until(lambda: broker.pool(CAROL, "win11").vm.state == "running")

        assert await broker.open_vm_console(CAROL, "vm1"), "and when it is clean it opens"


async def test_a_console_that_is_taken_is_audited_with_names_and_without_secrets(clock, caplog):
    vm = a_vm("vm1", user="ann", running=True, grants=granting("takeConsole"))
    backend = MemoryBackend(clock, [a_pool()], [vm])
    with caplog.at_level(logging.WARNING, "vmpool_ext.audit"):
        async with following(backend, clock) as broker:
            offer = await broker.open_console(ANN, "win11")
            await broker.connect_console(ANN, "vm1", offer.ticket)
            await until(lambda: broker.pool(ANN, "win11").vm.console == "open")
            taken = await broker.open_vm_console(CAROL, "vm1")

    told = [record.getMessage() for record in caplog.records if record.name == "vmpool_ext.audit"]
    assert told == [
        "console of vm vm1 taken by carol from ann",
        "console of vm vm1, which is another's, opened by carol",
    ]
    assert not any(secret in text for text in told for secret in (taken.ticket, taken.password))


async def test_what_disturbs_nobody_is_not_audited(clock, caplog, vm):
    async with following(MemoryBackend(clock, [a_pool()], [vm]), clock) as broker:
        await broker.open_vm_console(CAROL, "vm1")

    assert not [record for record in caplog.records if record.name == "vmpool_ext.audit"]


async def test_a_ticket_of_a_pools_console_is_judged_by_the_pool_and_one_of_a_vms_by_its_grants(clock):
    vm = a_vm("vm1", user="ann", running=True, grants=granting("accessConsole", to="ann"))
    backend = MemoryBackend(clock, [a_pool()], [vm])
    async with following(backend, clock) as broker:
        by_pool = await broker.open_console(ANN, "win11")
        by_vm = await broker.open_vm_console(ANN, "vm1")
        backend.put_pool(a_pool(may=["start"]))
        await until(lambda: "console" in broker.pool(ANN, "win11").why)

        with pytest.raises(PermissionMissing):
            await broker.connect_console(ANN, "vm1", by_pool.ticket)
        assert await broker.connect_console(ANN, "vm1", by_vm.ticket)
        with pytest.raises(InvalidTicket):
            await broker.connect_console(ANN, "vm1", by_vm.ticket)


async def test_one_of_a_vms_console_ends_with_its_grant(clock, vm):
    backend = MemoryBackend(clock, [a_pool()], [vm])
    async with following(backend, clock) as broker:
        offer = await broker.open_vm_console(CAROL, "vm1")
        backend.put_vm(a_vm("vm1", running=True))
        await until(lambda: not broker.vms(CAROL))

        with pytest.raises(VmPoolError):
            await broker.connect_console(CAROL, "vm1", offer.ticket)


async def test_a_vm_in_two_pools_is_kept_by_the_later_of_both_promises(clock):
    both = frozenset({"win11", "debian"})
    pools = [a_pool(retention="PT1h"), a_pool("debian", retention="PT2h")]
    backend = MemoryBackend(clock, pools, [a_vm("vm1", pools=both, user="ann")])
    async with following(backend, clock) as broker:
        await clock.advance(hours=1)
        assert (broker.pool(BOB, "win11").free, broker.pool(BOB, "debian").free) == (1, 0)
        await clock.advance(hours=1)
        assert broker.pool(BOB, "debian").free == 1

        await broker.start(BOB, "debian")

    assert backend.vm("vm1").assignment.pool == "debian"
    assert backend.vm("vm1").requested is RequestedState.RUNNING
