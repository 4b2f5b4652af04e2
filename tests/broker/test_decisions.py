"""What was decided about whom: kept for administrators, in the audit log and by the backend."""

import logging
from datetime import timedelta

import pytest

from tests.broker.conftest import following, until
from tests.builders import NOON, a_pool, a_user, a_vm
from vmpool_ext.backends.memory import MemoryBackend
from vmpool_ext.broker.refusals import MOST_OF_A_USER, NOT_AGAIN_WITHIN
from vmpool_ext.domain.decision import Outcome
from vmpool_ext.domain.errors import (
    AssignmentConflict,
    ConsoleInUse,
    Contention,
    NothingAssigned,
    PermissionMissing,
    PoolExhausted,
    PoolNotFound,
    VmNotFound,
)
from vmpool_ext.domain.permission import Grant, parse_permissions
from vmpool_ext.domain.pool import EndAction

ANN, BOB, EVE = a_user("ann"), a_user("bob"), a_user("eve")


def told(backend):
    return [(each.outcome, each.action, each.about.name, each.words) for each in backend.told]


async def test_who_was_given_a_vm_is_told_once(broker, backend, settled):
    for _ in range(2):
        await broker.start(ANN, "win11")
        await settled()

    [decision] = backend.told
    assert told(backend) == [(Outcome.ASSIGNED, "start", "vm1", 'Assigned to ann from the pool "win11".')]
    assert decision.at == NOON


async def test_of_a_vm_that_is_handed_on_it_is_told_whose_it_was(clock):
    backend = MemoryBackend(clock, [a_pool()], [a_vm("vm1", user="ann", used_ago=timedelta(days=1))])
    async with following(backend, clock) as broker:
        await broker.start(BOB, "win11")

    [(_, _, _, words)] = told(backend)
    assert words == 'Assigned to bob from the pool "win11". It was ann\'s, whose retention has ended.'


async def test_what_is_given_back_is_told(broker, backend, settled):
    await broker.start(ANN, "win11")
    await settled()

    await broker.release(ANN, "win11")

    assert told(backend)[1:] == [(Outcome.RELEASED, "release", "vm1", "Given back by ann.")]


async def test_what_is_taken_back_at_the_end_of_its_retention_is_told(clock):
    pool = a_pool(end_action=EndAction.DISCARD)
    backend = MemoryBackend(clock, [pool], [a_vm("vm1", user="ann", used_ago=timedelta(days=1))])
    async with following(backend, clock):
        await until(lambda: backend.told)

    assert told(backend) == [
        (Outcome.RELEASED, "release", "vm1", 'Taken back from ann: the retention of the pool "win11" has ended.')
    ]


async def test_what_a_deleted_pool_leaves_behind_is_told(clock):
    backend = MemoryBackend(clock, [], [a_vm("vm1", user="ann")])
    async with following(backend, clock):
        await until(lambda: backend.told)

    [(_, _, _, words)] = told(backend)
    assert words == 'Taken back from ann: there is no pool "win11" any more.'


async def test_a_second_vm_that_nobody_was_told_of_is_told_to_be_taken_back(clock):
    backend = MemoryBackend(clock, [a_pool()], [a_vm("vm1", user="ann"), a_vm("vm2", user="ann")])
    async with following(backend, clock) as broker:
        await broker.start(ANN, "win11")

    assert [(name, words) for _, _, name, words in told(backend)] == [
        ("vm2", 'Taken back from ann, who has another of the pool "win11".')
    ]


async def test_what_was_not_written_is_not_told(clock):
    class Faster(MemoryBackend):
        async def release(self, vm):
            self.put_vm(vm)
            raise AssignmentConflict(vm.name)

    backend = Faster(clock, [a_pool()], [a_vm("vm1", user="ann")])
    async with following(backend, clock) as broker:
        await refused(Contention, broker.release(ANN, "win11"))

    assert told(backend) == []


# Refusals.


async def refused(error, act):
    with pytest.raises(error):
        await act


async def test_who_may_not_is_told_with_what_they_wanted(clock):
    backend = MemoryBackend(clock, [a_pool(may=["start"])], [a_vm("vm1", user="ann", running=True)])
    async with following(backend, clock) as broker:
        await refused(PermissionMissing, broker.stop(ANN, "win11"))

    assert told(backend) == [
        (Outcome.REFUSED, "stop", "vm1", 'Refused to ann: stop, since the permission "stop" is not granted.')
    ]


async def test_whoever_sees_nothing_of_a_pool_or_a_vm_is_told_where_there_is_one(broker, backend):
    for _ in range(2):
        await refused(PoolNotFound, broker.start(EVE, "win11"))
        await refused(VmNotFound, broker.open_vm_console(EVE, "vm1"))
    await refused(PoolNotFound, broker.start(EVE, "void"))
    await refused(VmNotFound, broker.stop_vm(EVE, "void"))

    assert told(backend) == [
        (Outcome.REFUSED, "start", "win11", "Refused to eve: start, since no permission is granted."),
        (Outcome.REFUSED, "console", "vm1", "Refused to eve: console, since no permission is granted."),
    ]


async def test_a_console_that_is_in_use_is_told(clock):
    looked_at = {"running": True, "console": (True, timedelta(0)), "console_user": "bob"}
    grants = (Grant(parse_permissions(["accessConsole"]), user="ann"),)
    backend = MemoryBackend(clock, [a_pool()], [a_vm("vm1", grants=grants, **looked_at)])
    async with following(backend, clock) as broker:
        await refused(ConsoleInUse, broker.open_vm_console(ANN, "vm1"))

    assert told(backend) == [
        (Outcome.REFUSED, "console", "vm1", "Refused to ann: console, since somebody else is connected.")
    ]


async def test_that_a_pool_is_exhausted_is_told_about_the_pool(clock):
    backend = MemoryBackend(clock, [a_pool()], [a_vm("vm1", user="ann")])
    async with following(backend, clock) as broker:
        await refused(PoolExhausted, broker.start(BOB, "win11"))

    assert told(backend) == [
        (Outcome.REFUSED, "start", "win11", "Refused to bob: start, since all VMs are in use or kept for somebody.")
    ]


async def test_what_is_merely_not_so_is_not_told(broker, backend):
    await refused(NothingAssigned, broker.stop(ANN, "win11"))

    assert told(backend) == []


async def test_a_refusal_is_told_again_only_after_a_while(clock):
    backend = MemoryBackend(clock, [a_pool()], [a_vm("vm1", user="ann")])
    async with following(backend, clock) as broker:
        for pressed, expected in ((timedelta(0), 1), (timedelta(minutes=9), 1), (NOT_AGAIN_WITHIN, 2)):
            await clock.advance(seconds=(NOON + pressed - clock.now()).total_seconds())
            await refused(PoolExhausted, broker.start(BOB, "win11"))
            assert len(told(backend)) == expected

        await refused(PoolExhausted, broker.start(a_user("carol"), "win11"))
        assert len(told(backend)) == 3


async def test_whoever_asks_for_everything_fills_no_log_and_keeps_nothing_from_being_told(clock):
    backend = MemoryBackend(clock, [a_pool()], [a_vm(f"vm{number}") for number in range(2 * MOST_OF_A_USER)])
    async with following(backend, clock) as broker:
        for number in range(2 * MOST_OF_A_USER):
            await refused(VmNotFound, broker.start_vm(EVE, f"vm{number}"))
        assert len(told(backend)) == MOST_OF_A_USER

        await refused(VmNotFound, broker.start_vm(BOB, "vm1"))
        assert len(told(backend)) == MOST_OF_A_USER + 1


async def test_what_others_wrote_into_an_assignment_forges_no_line(clock):
    forged = "bob\nvm vm2: Assigned to mallory" + "y" * 100
    backend = MemoryBackend(clock, [a_pool()], [a_vm("vm1", user=forged, used_ago=timedelta(days=1))])
    async with following(backend, clock) as broker:
        await broker.start(ANN, "win11")

    [(_, _, _, words)] = told(backend)
    assert "\n" not in words
    assert "bob?vm vm2" in words
    assert words.endswith("yyy's, whose retention has ended.")
    assert len(words) < 200


async def test_the_audit_log_has_all_of_it_once(broker, settled, caplog):
    caplog.set_level(logging.INFO, "vmpool_ext.audit")
    await broker.start(ANN, "win11")
    await settled()
    await refused(PoolNotFound, broker.start(EVE, "win11"))

    records = [record for record in caplog.records if record.name == "vmpool_ext.audit"]
    assert [(record.levelname, record.getMessage()) for record in records] == [
        ("INFO", 'vm vm1: Assigned to ann from the pool "win11".'),
        ("WARNING", "pool win11: Refused to eve: start, since no permission is granted."),
    ]
