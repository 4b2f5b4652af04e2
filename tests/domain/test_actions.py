"""What stands against each action (R6)."""

from dataclasses import replace

import pytest

from tests.builders import a_pool, a_vm, since
from vmpool_ext.domain.actions import why_no_reset, why_no_start, why_no_stop, why_nothing_given
from vmpool_ext.domain.machine import RequestedState
from vmpool_ext.domain.permission import EVERY_PERMISSION, Permission, parse_permissions

ALL, NONE = EVERY_PERMISSION, frozenset()
OFF = a_vm(user="ann")
UP = a_vm(user="ann", running=True)
COMING = replace(OFF, requested=RequestedState.RUNNING)
GOING = replace(UP, requested=RequestedState.STOPPED)


def code(refusal):
    return refusal and refusal.code


@pytest.mark.parametrize(
    ("rule", "vm", "may", "expected"),
    [
        (why_no_start, OFF, ALL, None),
        (why_no_start, OFF, NONE, None),
        (why_no_start, UP, NONE, "already-running"),
        (why_no_start, COMING, ALL, "already-running"),
        (why_no_start, GOING, ALL, None),
        (why_no_start, GOING, NONE, "permission-missing"),
        (why_no_stop, UP, ALL, None),
        (why_no_stop, COMING, ALL, None),
        (why_no_stop, UP, ALL - {Permission.STOP}, "permission-missing"),
        (why_no_stop, OFF, ALL, "not-running"),
        (why_no_stop, GOING, ALL, "stopping"),
        (why_no_reset, UP, ALL, None),
        (why_no_reset, UP, ALL - {Permission.RESET}, "permission-missing"),
        (why_no_reset, COMING, ALL, "not-running"),
        (why_no_reset, OFF, ALL, "not-running"),
        (why_no_reset, GOING, ALL, "stopping"),
    ],
)
def test_what_stands_against_it(rule, vm, may, expected):
    assert code(rule(vm, may)) == expected


def test_starting_again_needs_the_permission_and_the_first_time_does_not():
    since_noon = replace(OFF, running=since(status=False, reason="VmStopped"))
    ran = replace(since_noon, assignment=replace(OFF.assignment, last_used=OFF.assignment.last_used.replace(hour=11)))

    assert why_no_start(OFF, NONE) is None
    assert code(why_no_start(ran, NONE)) == "permission-missing"
    assert why_no_start(ran, parse_permissions(["start"])) is None


@pytest.mark.parametrize(
    ("misconfigured", "free", "total", "expected"),
    [
        (None, 1, 2, None),
        (None, 0, 2, "pool-exhausted"),
        (None, 0, 0, "pool-empty"),
        ("retention", 1, 2, "pool-misconfigured"),
    ],
)
def test_why_a_pool_gives_nothing(misconfigured, free, total, expected):
    pool = replace(a_pool(), misconfigured=misconfigured)

    assert code(why_nothing_given(pool, free=free, total=total)) == expected
