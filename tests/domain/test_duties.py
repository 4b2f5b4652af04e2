"""What a VM needs that nobody clicks: each step and its edges, and that the steps come to an end (R10, R11, end actions)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOON, a_pool, a_vm, since
from tests.strategies import HOUR, TICK, USERS, vms
from vmpool_ext.domain.duties import LOGIN_AGAIN_AFTER, Duty, Step, UsedVm, next_duty, next_duty_at
from vmpool_ext.domain.machine import LOGIN_FAILED, NOBODY, Condition, MachineState, RequestedState, SessionMark
from vmpool_ext.domain.pool import EndAction
from vmpool_ext.domain.retention import END_OF_TIME

MINUTE = timedelta(minutes=1)
RUN = NOON - MINUTE
AGENT = {"agent_connected": since(status=True, ago=MINUTE)}
ANNS_SESSION = {"session": SessionMark("ann", RUN), **AGENT}
BOBS = a_vm(user="bob", running=True, **AGENT)
FREE = a_vm(running=True, **AGENT)
ENDED = {"user": "bob", "used_ago": 5 * HOUR}
FAILED = Condition(since=NOON, reason=LOGIN_FAILED)


def pools(**more):
    return {"win11": a_pool(**more)}


PLAIN, LOGIN = pools(), pools(login_on_assignment=True)
DISCARDS = pools(end_action=EndAction.DISCARD)


@pytest.mark.parametrize(
    ("known", "vm", "expected"),
    [
        (PLAIN, BOBS, None),
        (PLAIN, replace(BOBS, **ANNS_SESSION), Duty(Step.RESTART, "")),
        (PLAIN, replace(BOBS, **ANNS_SESSION, ending_run=RUN), None),
        (PLAIN, replace(BOBS, **ANNS_SESSION, requested=RequestedState.STOPPED), None),
        (PLAIN, replace(BOBS, **ANNS_SESSION, logged_in_user="ann"), Duty(Step.RESTART, "")),
        (LOGIN, replace(BOBS, **ANNS_SESSION, logged_in_user="ann"), Duty(Step.HAND_OVER_LOGIN, "bob")),
        (LOGIN, replace(BOBS, **ANNS_SESSION, logged_in_user="kiosk"), Duty(Step.RESTART, "")),
        (LOGIN, replace(BOBS, **ANNS_SESSION), Duty(Step.RESTART, "")),
        (LOGIN, replace(BOBS, session=ANNS_SESSION["session"], agent_connected=Condition()), Duty(Step.RESTART, "")),
        (LOGIN, BOBS, Duty(Step.MARK, "bob")),
        (LOGIN, replace(BOBS, agent_connected=Condition()), None),
        (LOGIN, a_vm(user="root", running=True, **AGENT), None),
        (LOGIN, a_vm(user="Ann", running=True, **AGENT), None),
        (LOGIN, replace(BOBS, session=SessionMark("bob", RUN)), Duty(Step.LOG_IN, "bob")),
        (LOGIN, replace(BOBS, session=SessionMark("bob", RUN), logged_in_user="bob"), None),
        (LOGIN, replace(BOBS, session=SessionMark("bob", RUN), logged_in_user="ann"), Duty(Step.LOG_IN, "bob")),
        (LOGIN, replace(BOBS, session=SessionMark("bob", RUN), user_logged_in=FAILED), None),
        (PLAIN, replace(FREE, login_user="kiosk"), Duty(Step.MARK, "kiosk")),
        (PLAIN, replace(BOBS, login_user="kiosk"), Duty(Step.MARK, "bob")),
        (PLAIN, replace(FREE, logged_in_user="kiosk", login_user="kiosk"), None),
        (PLAIN, replace(FREE, **ANNS_SESSION, logged_in_user="ann"), Duty(Step.HAND_OVER_LOGIN, NOBODY)),
        (PLAIN, replace(FREE, **ANNS_SESSION, logged_in_user="bob"), Duty(Step.LOG_OUT, "")),
        (PLAIN, replace(FREE, logged_in_user="ann", agent_connected=Condition()), None),
        (PLAIN, FREE, None),
        ({}, BOBS, Duty(Step.ASK_FOR_POOL, "")),
        ({}, replace(BOBS, being_deleted=True), None),
        ({}, FREE, None),
        (DISCARDS, a_vm(disk_user="ann"), Duty(Step.DISCARD, "")),
        (DISCARDS, a_vm(disk_user=None), None),
        (DISCARDS, replace(FREE, disk_user="ann"), None),
        (DISCARDS, replace(FREE, disk_user="ann", **ANNS_SESSION), Duty(Step.STOP, "")),
        (DISCARDS, replace(FREE, disk_user="ann", console_connected=since(status=True)), None),
        (DISCARDS, replace(FREE, disk_user="ann", requested=RequestedState.STOPPED, **ANNS_SESSION), None),
        (DISCARDS, a_vm(disk_user="ann", requested=RequestedState.RUNNING), None),
        (PLAIN, a_vm(disk_user="ann"), None),
        (DISCARDS, a_vm(user="bob", disk_user="ann"), Duty(Step.DISCARD, "")),
        (DISCARDS, a_vm(user="bob", disk_user=NOBODY), Duty(Step.DISCARD, "")),
        (DISCARDS, a_vm(user="bob", disk_user="bob"), None),
        (PLAIN, a_vm(user="bob", disk_user="ann"), None),
        (PLAIN, replace(BOBS, discarding=True), Duty(Step.RESTART, "")),
    ],
)
def test_the_next_step_follows_from_how_the_vm_is(known, vm, expected):
    assert next_duty(vm, known, NOON, UsedVm.CLEAN) == expected


def test_where_vms_are_handed_on_as_they_are_only_the_mark_changes():
    vm = replace(BOBS, **ANNS_SESSION, logged_in_user="ann")

    assert next_duty(vm, PLAIN, NOON, UsedVm.KEEP) == Duty(Step.MARK, "bob")
    assert next_duty(replace(vm, session=SessionMark("bob", RUN)), PLAIN, NOON, UsedVm.KEEP) is None


@pytest.mark.parametrize(
    ("action", "vm", "expected"),
    [
        (EndAction.KEEP, a_vm(running=True, **ENDED), None),
        (EndAction.KEEP, a_vm(running=True, **ENDED, **ANNS_SESSION), None),
        (EndAction.LOGOUT, a_vm(running=True, **ENDED, **AGENT, logged_in_user="bob"), Step.LOG_OUT),
        (EndAction.LOGOUT, a_vm(running=True, **ENDED, logged_in_user="bob"), None),
        (EndAction.LOGOUT, a_vm(running=True, **ENDED, **AGENT), None),
        (EndAction.STOP, a_vm(running=True, **ENDED), Step.STOP),
        (EndAction.STOP, a_vm(**ENDED), None),
        (EndAction.STOP, a_vm(**ENDED, requested=RequestedState.RUNNING), Step.STOP),
        (EndAction.DISCARD, a_vm(running=True, **ENDED), Step.STOP),
        (EndAction.DISCARD, a_vm(running=True, **ENDED, requested=RequestedState.STOPPED), None),
        (EndAction.DISCARD, a_vm(**ENDED), Step.RELEASE),
        (EndAction.DISCARD, a_vm(**ENDED, disk_user="bob"), Step.DISCARD),
    ],
)
def test_when_retention_has_ended_it_comes_to_what_the_pool_wants(action, vm, expected):
    duty = next_duty(vm, pools(end_action=action), NOON, UsedVm.CLEAN)

    assert (duty and duty.step) == expected


@pytest.mark.parametrize("action", EndAction)
def test_not_a_moment_before_its_end_and_never_while_somebody_looks(action):
    known = pools(end_action=action)
    vm = a_vm(
        running=True, user="bob", used_ago=4 * HOUR, **AGENT, logged_in_user="bob", session=SessionMark("bob", RUN)
    )
    looked_at = replace(vm, console_connected=since(status=True, ago=9 * HOUR), console_user="bob")

    assert next_duty(vm, known, NOON - TICK, UsedVm.CLEAN) is None
    assert (next_duty(vm, known, NOON, UsedVm.CLEAN) is None) == (action is EndAction.KEEP)
    assert next_duty(looked_at, known, NOON, UsedVm.CLEAN) is None


def test_a_login_that_failed_is_tried_again_after_a_minute_or_when_the_guest_begins_anew():
    vm = replace(BOBS, session=SessionMark("bob", RUN), user_logged_in=FAILED)
    rebooted = replace(vm, booted=since(status=True, ago=-MINUTE / 2))

    assert next_duty(vm, LOGIN, NOON + LOGIN_AGAIN_AFTER - TICK, UsedVm.CLEAN) is None
    assert next_duty(vm, LOGIN, NOON + LOGIN_AGAIN_AFTER, UsedVm.CLEAN) == Duty(Step.LOG_IN, "bob")
    assert next_duty(rebooted, LOGIN, NOON + MINUTE / 2, UsedVm.CLEAN) == Duty(Step.LOG_IN, "bob")
    assert next_duty_at(vm, LOGIN, NOON) == NOON + LOGIN_AGAIN_AFTER


# Any VM.

moments = st.datetimes(timezones=st.just(UTC))
sessions = st.none() | st.builds(SessionMark, st.sampled_from(USERS), st.sampled_from([NOON, NOON - HOUR]))


@st.composite
def any_vms(draw):
    vm = draw(vms())
    more = {
        "agent_connected": draw(st.builds(Condition, st.booleans())),
        "disk_user": draw(st.sampled_from([None, "ann", "bob"])),
    }
    more["session"] = draw(sessions | st.just(SessionMark("ann", vm.running.since)))
    more["login_user"] = draw(st.sampled_from([None, None, "kiosk"]))
    more["user_logged_in"] = draw(st.sampled_from([Condition(), FAILED]))
    return replace(vm, **more)


settings_of_pools = st.builds(
    lambda action, login, broken, text: {
        "win11": a_pool(end_action=action, login_on_assignment=login, retention=text),
        "debian": a_pool("debian", misconfigured=broken, retention="PT1h"),
    },
    st.sampled_from(EndAction),
    st.booleans(),
    st.sampled_from([None, "retention"]),
    st.sampled_from(["PT0S", "PT1h", "P1000Y"]),
)


def _done(vm, duty, now):
    """Do as a machine, an agent and a backend do that always succeed."""
    if duty.step is Step.RESTART:
        return _on(_off(vm, now), now)
    if duty.step is Step.STOP:
        return replace(_off(vm, now) if vm.running else vm, requested=RequestedState.STOPPED)
    marked = {"session": SessionMark(duty.user, vm.running.since)}
    logged_in = {"logged_in_user": duty.user, "user_logged_in": Condition(status=True, since=now)}
    logged_out = {"logged_in_user": None, "user_logged_in": Condition(since=now)}
    changes = {
        Step.HAND_OVER_LOGIN: {**logged_out, **marked},
        Step.MARK: marked,
        Step.LOG_IN: logged_in,
        Step.LOG_OUT: logged_out,
        Step.DISCARD: {"disk_user": None, "discarding": False},
        Step.RELEASE: {"assignment": None},
        Step.ASK_FOR_POOL: {"assignment": None},
    }
    return replace(vm, **changes[duty.step])


def _off(vm, now):
    off = Condition(since=now)
    gone = {"booted": off, "agent_connected": off, "user_logged_in": off, "logged_in_user": None}
    console = off if vm.console_connected else vm.console_connected
    return replace(vm, running=off, console_connected=console, **gone)


def _on(vm, now):
    began = max(now, vm.running.since + TICK, vm.console_connected.since)
    on = Condition(status=True, since=began)
    return replace(vm, running=on, booted=on, agent_connected=on, disk_user="ann")


@given(any_vms(), settings_of_pools, st.sampled_from([-TICK, timedelta(0), TICK]))
def test_one_step_after_the_other_comes_to_rest_clean_and_logged_in(vm, known, tick):
    now = NOON + tick
    for _ in range(8):
        duty = next_duty(vm, known, now, UsedVm.CLEAN)
        if duty is None:
            break
        vm = _done(vm, duty, now)
    else:
        pytest.fail(f"there is always something to do: {duty}")

    given_to = vm.assignment
    kept = given_to and not vm.being_deleted and _kept(vm, known, now)
    if kept and vm.state is MachineState.RUNNING:
        assert vm.is_clean_for(given_to.user)
        if known[given_to.pool].login_on_assignment and vm.agent_there and vm.user_logged_in.reason != LOGIN_FAILED:
            assert vm.logged_in_user == given_to.user


def _kept(vm, known, now):
    pool = known.get(vm.assignment.pool)
    return pool is not None and (vm.console_open or pool.retention.until(vm.last_used) > now)


@given(any_vms(), settings_of_pools, moments, moments)
def test_whatever_time_it_is_or_was_there_is_an_answer(vm, known, now, used):
    told = replace(vm.user_logged_in, since=used)
    given_to = replace(vm.assignment, last_used=used) if vm.assignment else None
    vm = replace(vm, assignment=given_to, user_logged_in=told)

    next_duty(vm, known, now, UsedVm.CLEAN)
    assert now < next_duty_at(vm, known, now) <= END_OF_TIME


@given(any_vms(), settings_of_pools, moments)
def test_between_now_and_the_next_moment_the_answer_does_not_change(vm, known, now):
    moment = next_duty_at(vm, known, now)
    just_before = now if moment == END_OF_TIME else moment - TICK

    assert next_duty(vm, known, just_before, UsedVm.CLEAN) == next_duty(vm, known, now, UsedVm.CLEAN)


@given(any_vms(), settings_of_pools)
def test_nothing_is_done_to_a_vm_that_goes(vm, known):
    assert next_duty(replace(vm, being_deleted=True), known, datetime(2026, 1, 15, tzinfo=UTC), UsedVm.CLEAN) is None
