"""Which VM a user gets and how long it stays theirs (R2, R4, P4, P5).

The oracle of the properties is written out here in the rule's own words.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOON, a_pool, a_vm, since
from tests.strategies import HOUR, TICK, distinct_vms, vms
from vmpool_ext.domain.assignment import is_assignable, is_kept, later_use, longest_unused_first, scattered, warm_first
from vmpool_ext.domain.defects import Defect, Wrong
from vmpool_ext.domain.machine import NEVER, START_FAILED, Assignment

WIN = a_pool("win11", retention="PT1h")
DEBIAN = a_pool("debian", retention="PT2h")
POOLS = {"win11": WIN, "debian": DEBIAN}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ALONE = st.sampled_from([warm_first, longest_unused_first])
ORDERS = ALONE | st.builds(scattered, ALONE, st.text())
"""Those of a broker that chooses alone, and of one of several, whatever it is called."""


def _free_by_the_rule(pool, vm, now):
    """R2, sentence by sentence."""
    if pool.name not in vm.pools or vm.being_deleted:
        return False
    if vm.running.status and vm.console_connected.status:
        return False
    if vm.assignment is None:
        return True
    if vm.assignment.pool not in POOLS:
        return False
    hours = max(int(POOLS[name].retention_text[2]) for name in (vm.assignment.pool, pool.name))
    used = max(vm.assignment.last_used, vm.console_connected.since)
    held = vm.assignment.last_used + 5 * MINUTE if vm.console_connected.since <= vm.assignment.last_used else None
    return now >= used + hours * HOUR and (held is None or now >= held)


@given(st.sampled_from([WIN, DEBIAN]), vms(), st.sampled_from([-TICK, timedelta(0), TICK]))
def test_a_vm_is_assignable_as_the_rule_says(pool, vm, tick):
    assert is_assignable(pool, vm, POOLS, NOON + tick) == _free_by_the_rule(pool, vm, NOON + tick)


@pytest.mark.parametrize(("ago", "free"), [(HOUR - TICK, False), (HOUR, True)])
def test_retention_ends_to_the_microsecond(ago, free):
    assert is_assignable(WIN, a_vm(user="ann", used_ago=ago), POOLS, NOON) is free


def test_retention_counts_from_the_console_if_that_closed_later():
    vm = a_vm(user="ann", used_ago=3 * HOUR, console=(False, HOUR - TICK))

    assert not is_assignable(WIN, vm, POOLS, NOON)
    assert is_assignable(WIN, vm, POOLS, NOON + TICK)


def test_a_vm_with_an_open_console_is_never_free():
    vm = a_vm(running=True, user="ann", used_ago=9 * HOUR, console=(True, 9 * HOUR))

    assert not is_assignable(WIN, vm, POOLS, NOON)
    assert not is_assignable(WIN, replace(vm, assignment=None), POOLS, NOON)


def test_the_longer_promise_of_assigning_and_asking_pool_counts():
    both = frozenset({"win11", "debian"})
    by_debian = a_vm(pool="debian", pools=both, user="ann", used_ago=HOUR)
    by_win = a_vm(pool="win11", pools=both, user="ann", used_ago=HOUR)

    assert not is_assignable(WIN, by_debian, POOLS, NOON), "debian promised two hours"
    assert not is_assignable(DEBIAN, by_win, POOLS, NOON), "who asks keeps it for two hours"
    assert is_assignable(WIN, by_win, POOLS, NOON)


@pytest.mark.parametrize(("ago", "free"), [(5 * MINUTE - TICK, False), (5 * MINUTE, True)])
def test_an_assignment_is_held_for_its_first_console_whatever_the_retention(ago, free):
    pool = a_pool(retention="PT0S")

    assert is_assignable(pool, a_vm(user="ann", used_ago=ago), {"win11": pool}, NOON) is free


def test_the_hold_ends_with_the_first_console():
    pool = a_pool(retention="PT0S")
    vm = a_vm(user="ann", used_ago=2 * MINUTE, console=(False, MINUTE))

    assert is_assignable(pool, vm, {"win11": pool}, NOON)


def test_an_absolute_retention_in_the_past_keeps_nothing_but_the_hold():
    pool = a_pool(retention="2026-01-01T00:00:00Z")

    assert not is_assignable(pool, a_vm(user="ann", used_ago=MINUTE), {"win11": pool}, NOON)
    assert is_assignable(pool, a_vm(user="ann", used_ago=6 * MINUTE), {"win11": pool}, NOON)


def test_a_misconfigured_pool_gives_nothing():
    assert not is_assignable(replace(WIN, misconfigured="retention"), a_vm(), POOLS, NOON)


def test_what_an_unknown_pool_assigned_is_kept():
    """Whether that pool is really gone is another question."""
    assert not is_assignable(WIN, a_vm(user="ann", used_ago=99 * HOUR), {}, NOON)


@given(distinct_vms(most=4), ORDERS)
def test_an_order_of_preference_is_total_and_strict(some, preference):
    best = {tuple(sorted(each, key=preference)) for each in permutations(some)}

    assert len(best) == 1
    assert len({preference(vm) for vm in some}) == len(some)


def test_warm_ones_come_first_then_never_used_then_longest_unused_and_failed_ones_last():
    warm = a_vm("w", running=True)
    never = a_vm("n")
    long_ago = a_vm("l", console=(False, 3 * HOUR))
    lately = a_vm("k", console=(False, HOUR))
    used_and_running = replace(a_vm("r", running=True), console_connected=since(status=False))
    failed = replace(a_vm("a"), running=since(status=False, reason=START_FAILED))
    expected = [warm, never, long_ago, lately, used_and_running, failed]

    assert sorted([*expected[3:], *expected[:3]], key=warm_first) == expected


@given(distinct_vms(most=4), ALONE, st.text())
def test_one_of_several_brokers_prefers_whatever_one_alone_does_but_for_less_than_a_week(some, preference, broker):
    def to_the_week(vm):
        return [(key - EPOCH).days // 7 if key == vm.last_used else key for key in preference(vm)[:-1]]

    ordered = sorted(some, key=scattered(preference, broker))

    assert [to_the_week(vm) for vm in ordered] == sorted(map(to_the_week, some))


def test_brokers_who_agree_on_the_week_differ_on_vms_that_were_all_used_at_another_moment():
    lately = [a_vm(f"demo-{number}", console=(False, number * MINUTE)) for number in range(1, 100)]
    long_ago = a_vm("old", console=(False, 14 * 24 * HOUR))
    orders = [scattered(warm_first, f"broker-{number}") for number in range(50)]

    assert len({min(lately, key=order).name for order in orders}) > 30
    assert {min([*lately, long_ago], key=order).name for order in orders} == {"old"}


def test_several_brokers_begin_anywhere_among_equals_each_always_at_the_same():
    equals = [a_vm(f"demo-{number}") for number in range(100)]
    orders = [scattered(warm_first, f"broker-{number}") for number in range(50)]
    begin = [min(equals, key=order).name for order in orders]

    assert len(set(begin)) > 30
    assert begin == [min(reversed(equals), key=order).name for order in orders]


def test_equals_are_ordered_by_name():
    assert sorted([a_vm("b"), a_vm("c"), a_vm("a")], key=warm_first) == [a_vm("a"), a_vm("b"), a_vm("c")]


def test_where_it_is_preferred_the_longest_unused_comes_before_a_warm_one():
    warm = a_vm("w", running=True, console=(False, 3 * HOUR))
    never = a_vm("n")
    long_ago = a_vm("l", console=(False, 9 * HOUR))
    failed = replace(a_vm("a"), running=since(status=False, reason=START_FAILED))
    expected = [never, long_ago, warm, failed]

    assert sorted([warm, failed, long_ago, never], key=longest_unused_first) == expected


@pytest.mark.parametrize(("ago", "kept"), [(HOUR - TICK, True), (HOUR, False)])
def test_an_own_vm_is_kept_for_the_retention_and_while_its_console_is_open(ago, kept):
    assert is_kept(a_vm(user="ann", used_ago=ago), POOLS, NOON) is kept
    assert is_kept(a_vm(user="ann", used_ago=ago, running=True, console=(True, 9 * HOUR)), POOLS, NOON)


def test_a_console_that_its_user_left_is_the_last_use():
    used = a_vm(user="ann", used_ago=timedelta(hours=2), console=(False, timedelta(hours=1)), console_user="ann")

    assert later_use(used).last_used == NOON - timedelta(hours=1)
    assert (later_use(used).pool, later_use(used).user) == ("win11", "ann")


def test_where_the_last_use_cannot_be_read_only_an_open_console_tells_of_one():
    unread = {"console_user": "ann", "running": True, "defects": (Defect(Wrong.ASSIGNMENT_TIME),)}
    assignment = Assignment("win11", "ann", NEVER)
    left, there = ((a_vm(console=(on, HOUR), assignment=assignment, **unread)) for on in (False, True))

    assert later_use(left) is None
    assert later_use(there).last_used == NOON - HOUR


def test_what_others_did_at_the_console_or_what_was_before_is_no_use():
    hours = {"used_ago": timedelta(hours=2), "console": (False, timedelta(hours=1))}

    assert later_use(a_vm(user="ann", console_user="bob", **hours)) is None
    assert later_use(a_vm(user="ann", console_user="ann", **{**hours, "used_ago": timedelta(minutes=5)})) is None
    assert later_use(a_vm(console_user="ann", **hours)) is None
