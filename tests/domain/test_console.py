"""Who may open a console (R9)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.builders import NOON, a_pool, a_user, a_vm, since
from vmpool_ext.domain.console import disconnects, why_no_console, why_no_own_console
from vmpool_ext.domain.defects import Defect, Wrong
from vmpool_ext.domain.machine import BOOT_TIMEOUT, LOGIN_FAILED, Condition, SessionMark
from vmpool_ext.domain.permission import EVERY_PERMISSION, parse_permissions

ANN, BOB = a_user("ann"), a_user("bob")
ALL = EVERY_PERMISSION
LOOK = parse_permissions(["accessConsole"])
TAKE = parse_permissions(["takeConsole"])
NO_LOOK = parse_permissions(["start", "stop", "reset"])
MINUTE = timedelta(minutes=1)

OFF = a_vm(user="ann")
UP = replace(a_vm(user="ann", running=True), session=SessionMark("ann", NOON - MINUTE))
OPEN = replace(UP, console_connected=since(status=True))
POOLS = {"win11": a_pool()}
LOGIN_POOLS = {"win11": a_pool(login_on_assignment=True)}


def code(refusal):
    return refusal and refusal.code


@pytest.mark.parametrize(
    ("vm", "may", "expected"),
    [
        (UP, LOOK, None),
        (replace(OPEN, console_user="ann"), LOOK, None),
        (replace(OPEN, console_user="bob"), LOOK, "console-in-use"),
        (replace(OPEN, console_user="bob"), TAKE, None),
        (replace(UP, console_user="bob"), LOOK, None),
        (UP, NO_LOOK, "permission-missing"),
        (OFF, ALL, "not-running"),
        (replace(OFF, requested="Running"), ALL, "not-running"),
        (replace(UP, ending_run=UP.running.since), ALL, "being-prepared"),
        (replace(UP, session=SessionMark("bob", UP.running.since)), ALL, "being-prepared"),
        (replace(UP, session=None, logged_in_user="bob"), ALL, "being-prepared"),
    ],
)
def test_the_console_of_a_pools_vm_is_open_to_whom_it_is_assigned_to(vm, may, expected):
    assert code(why_no_console(ANN, vm, POOLS, may)) == expected


SILENT = Condition(since=NOON, reason=BOOT_TIMEOUT, message="The guest has not said that it is up.")
FAILED = Condition(since=NOON, reason=LOGIN_FAILED, message="451 no home directory")


@pytest.mark.parametrize(
    ("pools", "vm", "expected"),
    [
        (LOGIN_POOLS, UP, "waiting-for-login"),
        (LOGIN_POOLS, replace(UP, logged_in_user="bob"), "waiting-for-login"),
        (LOGIN_POOLS, replace(UP, logged_in_user="ann"), None),
        (LOGIN_POOLS, replace(UP, user_logged_in=FAILED), "login-failed"),
        (LOGIN_POOLS, replace(UP, user_logged_in=replace(FAILED, since=NOON - 2 * MINUTE)), "waiting-for-login"),
        (LOGIN_POOLS, replace(UP, booted=SILENT), "agent-missing"),
        (LOGIN_POOLS, replace(UP, booted=replace(SILENT, reason="Reset")), "waiting-for-login"),
        (POOLS, replace(UP, booted=SILENT), None),
        (POOLS, replace(UP, login_user="kiosk"), "waiting-for-login"),
        (POOLS, replace(UP, login_user="kiosk", logged_in_user="kiosk"), None),
    ],
)
def test_where_somebody_is_to_be_logged_in_the_console_waits_for_it(pools, vm, expected):
    assert code(why_no_console(ANN, vm, pools, ALL)) == expected


@pytest.mark.parametrize(
    ("vm", "may", "for_ann", "for_bob"),
    [
        (UP, LOOK, None, "assigned-to-another"),
        (replace(UP, assignment=None), LOOK, None, None),
        (replace(OPEN, assignment=None, console_user="ann"), LOOK, None, "console-in-use"),
        (replace(OPEN, console_user="ann"), TAKE, None, None),
        (UP, NO_LOOK, "permission-missing", "permission-missing"),
        (OFF, TAKE, "not-running", "not-running"),
        (replace(UP, session=SessionMark("bob", UP.running.since)), LOOK, "being-prepared", "assigned-to-another"),
        (replace(UP, session=SessionMark("bob", UP.running.since)), TAKE, None, None),
    ],
)
def test_by_a_grant_on_the_vm_the_console_is_open_where_nobody_else_is_concerned(vm, may, for_ann, for_bob):
    assert code(why_no_own_console(ANN, vm, may)) == for_ann
    assert code(why_no_own_console(BOB, vm, may)) == for_bob


def test_by_a_grant_on_the_vm_no_console_is_open_of_which_it_cannot_be_read_whose_it_is():
    whose = replace(UP, assignment=None, session=None, defects=(Defect(Wrong.PARTIAL_ASSIGNMENT, "pool"),))

    assert code(why_no_own_console(BOB, whose, LOOK)) == "assigned-to-another"
    assert why_no_own_console(BOB, whose, TAKE) is None
    assert disconnects(BOB, whose, TAKE) is None


@pytest.mark.parametrize(
    ("vm", "may", "named"),
    [
        (replace(OPEN, console_user="ann"), TAKE, "ann"),
        (UP, TAKE, "ann"),
        (replace(UP, assignment=None), TAKE, None),
        (replace(OPEN, console_user="ann"), LOOK, None),
        (replace(OPEN, console_user="bob", assignment=None), TAKE, None),
    ],
)
def test_who_may_take_a_console_is_told_from_whom(vm, may, named):
    """R13: and nobody else is told."""
    assert disconnects(BOB, vm, may) == named
