"""Many press at once: at most one user per VM, at most one VM per user and pool (R5), and nobody is refused in vain."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.broker.conftest import following
from tests.builders import a_pool, a_user, a_vm
from tests.moving_clock import MovingClock
from vmpool_ext.backends.memory import MemoryBackend
from vmpool_ext.domain.errors import BackendUnavailable, Contention, PoolEmpty, PoolExhausted
from vmpool_ext.domain.permission import EVERY_PERMISSION, Grant

OPEN = a_pool(grants=(Grant(EVERY_PERMISSION, role="student"),))


def students(number):
    return [a_user(f"student{n}", "student") for n in range(number)]


class CountingBackend(MemoryBackend):
    """Counts the attempts to assign."""

    attempts = 0

    async def assign(self, vm, assignment):
        self.attempts += 1
        return await super().assign(vm, assignment)


def owners(backend, names):
    return [vm.assignment.user for name in names if (vm := backend.vm(name)).assignment]


async def test_a_class_that_presses_at_once_gets_a_vm_each_with_one_write_each(clock):
    names = [f"vm{n:03}" for n in range(120)]
    backend = CountingBackend(clock, [OPEN], [a_vm(name) for name in names])
    async with following(backend, clock) as broker:
        await asyncio.gather(*(broker.start(user, "win11") for user in students(100)))

    assert Counter(owners(backend, names)) == Counter(user.name for user in students(100))
    assert backend.attempts == 100


async def test_where_there_are_too_few_exactly_the_others_are_refused(clock):
    names = [f"vm{n}" for n in range(5)]
    backend = MemoryBackend(clock, [OPEN], [a_vm(name) for name in names])
    async with following(backend, clock) as broker:
        outcomes = await asyncio.gather(*(broker.start(user, "win11") for user in students(8)), return_exceptions=True)

    assert sum(isinstance(outcome, PoolExhausted) for outcome in outcomes) == 3
    assert len(set(owners(backend, names))) == 5


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=10), st.integers(0, 6))
def test_several_brokers_and_tabs_never_give_two(presses, number_of_vms):
    """Each press is one user at one of three brokers, which know of each other only by the backend."""
    asyncio.run(_press(presses, [f"vm{n}" for n in range(number_of_vms)]))


async def _press(presses, names):
    clock = MovingClock()
    backend = MemoryBackend(clock, [OPEN], [a_vm(name) for name in names])
    async with (
        following(backend, clock) as one,
        following(backend, clock) as two,
        following(backend, clock) as three,
    ):
        users = students(4)
        starts = [(one, two, three)[broker].start(users[user], "win11") for broker, user in presses]
        outcomes = await asyncio.gather(*starts, return_exceptions=True)

    assert all(count == 1 for count in Counter(owners(backend, names)).values())
    for (_, user), outcome in zip(presses, outcomes, strict=True):
        _check(outcome, users[user].name, backend, names, presses=len(presses))


def _check(outcome, user, backend, names, presses):
    if isinstance(outcome, (PoolExhausted, PoolEmpty)):
        # Two brokers may take one for the same user each, and give one back: for that moment it is not free.
        assert presses > len(names), "refused although there were enough for all"
    elif not isinstance(outcome, Contention):
        assert backend.vm(outcome.pool.vm.name).assignment.user == user, "told that it is theirs, and it is not"


async def test_a_double_click_takes_one_vm_even_for_a_moment(clock):
    backend = CountingBackend(clock, [OPEN], [a_vm("vm1"), a_vm("vm2")])
    (user,) = students(1)
    async with following(backend, clock) as broker:
        outcomes = await asyncio.gather(*(broker.start(user, "win11") for _ in range(5)))

    assert {outcome.pool.vm.name for outcome in outcomes} == {"vm1"}
    assert [outcome.newly for outcome in outcomes].count(True) == 1
    assert backend.attempts == 1


async def test_of_two_vms_that_crashed_brokers_left_to_a_user_the_first_stays(clock):
    backend = MemoryBackend(clock, [OPEN], [a_vm("vm1"), a_vm("vm2")])
    (user,) = students(1)
    async with following(backend, clock) as broker:
        for name in ("vm2", "vm1"):
            backend.put_vm(a_vm(name, user=user.name))
        started = await broker.start(user, "win11")

    assert started.pool.vm.name == "vm2"
    assert owners(backend, ["vm1"]) == []


async def test_an_unanswered_write_is_told_and_the_next_start_finds_out(clock):
    """The write arrived although its answer did not."""

    class Mute(MemoryBackend):
        mute = True

        async def assign(self, vm, assignment):
            written = await super().assign(vm, assignment)
            if self.mute:
                message = "no answer"
                raise BackendUnavailable(message)
            return written

    backend = Mute(clock, [OPEN], [a_vm("vm1"), a_vm("vm2")])
    (user,) = students(1)
    async with following(backend, clock) as broker:
        with pytest.raises(BackendUnavailable):
            await broker.start(user, "win11")
        backend.mute = False
        started = await broker.start(user, "win11")

    assert not started.newly
    assert owners(backend, ["vm1", "vm2"]) == ["student0"]
