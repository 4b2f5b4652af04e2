"""Whatever order everything goes on in: who presses, what the brokers hear, what they do that nobody clicked.

A schedule is a list of numbers, each of which says which of the callbacks that are ready goes on next; where it ends, the usual
order goes on. A failing one shrinks to the few numbers that matter. What must not be is told by the witness, at each write.
"""

from collections import Counter
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import a_pool, a_user
from tests.proof.drawn_loop import drawn_from
from tests.proof.witness import Press
from tests.proof.world import Memory, Store, World, starts
from vmpool_ext.broker.broker import Started
from vmpool_ext.domain.errors import PoolExhausted, VmPoolError

USERS = [a_user(name) for name in ("ann", "bob", "carol")]
ANN, BOB, _ = USERS
schedules = st.lists(st.integers(0, 7), max_size=150)
grounds = pytest.mark.parametrize("ground", [Memory, Store])
drawn = settings(max_examples=60)


@contextmanager
def a_world(ground, vms, brokers=2, **pool):
    world = World(ground, brokers)
    world.define_pool(a_pool(**{"retention": "PT1h", **pool}))
    for n in range(vms):
        world.behind(world.backend.define_vm(f"vm{n}", ["win11"]))
    world.open()
    yield world
    world.close()


def presses(world, users, schedule):
    """Have these users press Start, each at one of the brokers, and let everything go on as drawn."""
    doings = [
        world.press(world.running[n % len(world.running)], *starts(USERS[user], "win11"))
        for n, user in enumerate(users)
    ]
    world.quiet(drawn_from(schedule))
    return [doing.task.result() for doing in doings]


def owners(world):
    return Counter(vm.assignment.user for vm in world.backend.vms_now().values() if vm.assignment)


@grounds
@drawn
@given(users=st.lists(st.integers(0, 2), min_size=2, max_size=5), vms=st.integers(1, 4), schedule=schedules)
def test_of_presses_at_once_nobody_gets_two_and_nobody_is_refused_in_vain(ground, users, vms, schedule):
    with a_world(ground, vms) as world:
        outcomes = presses(world, users, schedule)
        had = owners(world)

        assert all(count == 1 for count in had.values()), "S1"
        for user, outcome in zip(users, outcomes, strict=True):
            if isinstance(outcome, Started):
                assert had[USERS[user].name] == 1, "S3: told that it is theirs, and it is not"
            else:
                assert isinstance(outcome, PoolExhausted)
                assert len(users) > vms, "refused although there were enough for all"


@grounds
@drawn
@given(schedule=schedules, again=st.booleans())
def test_a_vm_given_back_while_another_asks_is_had_by_one_of_them_or_nobody(ground, schedule, again):
    with a_world(ground, 1) as world:
        world.now_does(*starts(ANN, "win11"))
        release = Press("release", "ann", "win11"), lambda broker: broker.release(ANN, "win11")
        doings = [world.press(world.running[0], *release), world.press(world.running[1], *starts(BOB, "win11"))]
        if again:
            doings.append(world.press(world.running[1], *starts(ANN, "win11")))
        world.quiet(drawn_from(schedule))
        told = {doing.press.user for doing in doings if isinstance(doing.task.result(), Started)}

        assert told <= set(owners(world)) | ({"ann"} if again else set()), "S3, unless ann gave it back herself"
        world.settle()
        assert set(owners(world)) or isinstance(world.now_does(*starts(BOB, "win11")), Started), "nothing is lost"


@grounds
@drawn
@given(schedule=schedules, login=st.booleans())
def test_whatever_order_it_goes_in_a_handover_ends_with_a_clean_run_for_the_next_user(ground, schedule, login):
    """Two brokers see to it; the user tries to look all the while."""
    with a_world(ground, 1, login_on_assignment=login) as world:
        _is_used_by_ann(world)
        world.press(world.running[0], *starts(BOB, "win11"))
        for running in world.running:
            looking = Press("console", "bob", "win11"), _looks(BOB)
            world.press(running, *looking)
        world.quiet(drawn_from(schedule))
        world.settle()

        assert not isinstance(world.now_does(Press("console", "bob", "win11"), _looks(BOB)), VmPoolError)
        vm = world.backend.vms_now()["vm0"]
        assert vm.assignment.user == vm.session.user == "bob"
        assert world.backend.witness.inside(vm) == {"bob"}


def _is_used_by_ann(world):
    world.now_does(*starts(ANN, "win11"))
    world.settle()
    display = world.now_does(Press("console", "ann", "win11"), _looks(ANN))
    world.loop.run(display.close())
    world.now_does(Press("release", "ann", "win11"), lambda broker: broker.release(ANN, "win11"))
    world.settle()


def _looks(user):
    async def looks(broker):
        offer = await broker.open_console(user, "win11")
        return (await broker.connect_console(user, offer.vm, offer.ticket)).display

    return looks
