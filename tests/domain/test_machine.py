"""What is observed of a VM, in words."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.builders import NOON, a_vm, since
from vmpool_ext.domain.machine import (
    CRASHED,
    NEVER,
    NOBODY,
    START_FAILED,
    TERMINATING,
    Condition,
    MachineState,
    RequestedState,
    SessionMark,
)

ON, OFF = RequestedState.RUNNING, RequestedState.STOPPED
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("requested", "running", "reason", "state"),
    [
        (OFF, False, "VmStopped", MachineState.STOPPED),
        (ON, False, "VmStopped", MachineState.STARTING),
        (ON, True, "VmStarted", MachineState.RUNNING),
        (OFF, True, "VmStarted", MachineState.STOPPING),
        (ON, True, TERMINATING, MachineState.STOPPING),
        (OFF, False, START_FAILED, MachineState.FAILED),
        (OFF, False, CRASHED, MachineState.FAILED),
        (ON, False, CRASHED, MachineState.STARTING),
    ],
)
def test_the_state_is_what_is_wanted_and_what_is_so(requested, running, reason, state):
    vm = replace(a_vm(), requested=requested, running=since(status=running, reason=reason))

    assert vm.state is state


def test_a_console_counts_only_while_the_vm_runs():
    """A runner that dies leaves its conditions behind."""
    connected = a_vm(running=True, console=(True, MINUTE))

    assert connected.console_open
    assert not replace(connected, running=since(status=False)).console_open


@pytest.mark.parametrize(("used_ago", "console_ago", "last_used_ago"), [(2, 1, 1), (1, 2, 1), (1, None, 1)])
def test_last_used_is_the_later_of_assignment_and_console(used_ago, console_ago, last_used_ago):
    console = (False, console_ago * MINUTE) if console_ago else None

    assert a_vm(user="ann", used_ago=used_ago * MINUTE, console=console).last_used == NOON - last_used_ago * MINUTE


def test_a_running_vm_is_warm_until_somebody_was_in_it():
    warm = a_vm(running=True)

    assert warm.warm
    assert not replace(warm, requested=OFF).warm
    assert not replace(warm, logged_in_user="ann").warm
    assert not replace(warm, console_connected=since(status=True)).warm
    assert not replace(warm, console_connected=since(status=False)).warm
    assert not a_vm().warm


def test_a_console_of_an_earlier_run_does_not_count_against_warmth():
    assert a_vm(running=True, console=(False, 2 * MINUTE)).warm


def test_what_ran_before_it_was_assigned_has_not_run_since():
    stopped = a_vm(user="ann", used_ago=MINUTE)

    assert not replace(stopped, running=since(status=False, ago=2 * MINUTE)).ran_since_assigned
    assert replace(stopped, running=since(status=False)).ran_since_assigned
    assert replace(stopped, running=since(status=True, ago=2 * MINUTE)).ran_since_assigned
    assert not replace(stopped, running=Condition()).ran_since_assigned


RUN = NOON - MINUTE
"""When the runs of `a_vm` began."""


@pytest.mark.parametrize(
    ("what_is_known", "clean_for"),
    [
        ({}, {"ann", "bob"}),
        ({"session": SessionMark("ann", RUN)}, {"ann"}),
        ({"session": SessionMark("ann", RUN - MINUTE)}, {"ann", "bob"}),
        ({"session": SessionMark("ann", RUN), "console_connected": since(status=False)}, {"ann"}),
        ({"session": SessionMark("ann", RUN), "logged_in_user": "bob"}, {"ann"}),
        ({"console_connected": since(status=False)}, set()),
        ({"console_connected": since(status=True, ago=2 * MINUTE)}, set()),
        ({"console_connected": since(status=False, ago=MINUTE)}, {"ann", "bob"}),
        ({"logged_in_user": "ann"}, set()),
        ({"session": SessionMark(NOBODY, RUN), "console_connected": since(status=False)}, {"ann", "bob"}),
        ({"session": SessionMark(NOBODY, RUN), "console_connected": since(status=True)}, set()),
        ({"session": SessionMark(NOBODY, RUN), "logged_in_user": "ann"}, set()),
        ({"console_user": "bob"}, {"ann", "bob"}),
    ],
)
def test_a_run_is_clean_for_whose_mark_it_bears_or_for_all_when_nobody_was_in_it(what_is_known, clean_for):
    """R10; the console user is no evidence: it is written on request, and never cleared."""
    vm = replace(a_vm(running=True), **what_is_known)

    assert {user for user in ("ann", "bob") if vm.is_clean_for(user)} == clean_for


def test_a_vm_that_is_off_holds_no_session():
    used = replace(a_vm(), session=SessionMark("ann", NEVER), console_connected=since(status=False))

    assert used.is_clean_for("bob")


def test_a_vm_whose_run_is_to_end_is_starting_until_the_next_one():
    ending = replace(a_vm(running=True), ending_run=RUN)

    assert ending.state is MachineState.STARTING
    assert not ending.warm
    assert replace(ending, requested=RequestedState.STOPPED).state is MachineState.STOPPING
    assert replace(ending, ending_run=RUN - MINUTE).state is MachineState.RUNNING
