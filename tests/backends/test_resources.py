"""Custom resources read into the domain, and back."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOON, a_user
from vmpool_ext.backends import resources
from vmpool_ext.backends.resources import pool_from_resource, set_condition, vm_from_resource, with_assignment
from vmpool_ext.domain.defects import Defect, Wrong
from vmpool_ext.domain.machine import NEVER, NOBODY, Assignment, MachineState, RequestedState
from vmpool_ext.domain.permission import EVERY_PERMISSION, Permission, permissions_for
from vmpool_ext.domain.retention import END_OF_TIME, RetainForever

json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
statuses = st.dictionaries(st.text(max_size=8), json, max_size=4)
moments = st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # the strategy's own rule


def a_pool(**spec):
    return {"metadata": {"name": "win11"}, "spec": spec}


def a_vm(spec=None, **status):
    return {"metadata": {"name": "vm1"}, "spec": spec or {"vm": {}}, "status": status}


def a_condition(type_, status="True", since="2026-01-15T12:00:00Z", **more):
    return {"type": type_, "status": status, "lastTransitionTime": since, "reason": "R", "message": "", **more}


# Pools.


def test_a_pool_that_says_nothing_keeps_vms_for_an_hour_and_grants_nothing():
    pool = pool_from_resource(a_pool(), 7)

    assert (pool.name, pool.version, pool.misconfigured) == ("win11", 7, None)
    assert pool.retention.until(NOON) == NOON + timedelta(hours=1)
    assert pool.grants == ()
    assert not pool.login_on_assignment


def test_a_pools_grant_that_names_no_permission_opens_the_console():
    pool = pool_from_resource(a_pool(permissions=[{"user": "ann"}, {"role": "student", "may": None}]), 1)

    for user in (a_user("ann"), a_user("bob", "student")):
        assert permissions_for(user, pool.grants) == {Permission.ACCESS_CONSOLE}


def test_a_vms_grant_that_names_no_permission_grants_nothing():
    vm = vm_from_resource(a_vm({"vm": {}, "permissions": [{"user": "ann"}]}), 1)

    assert permissions_for(a_user("ann"), vm.grants) == frozenset()


@pytest.mark.parametrize("text", ["P", "PT", "2026-02-30T00:00:00Z", "soon", 5])
def test_a_pool_whose_retention_cannot_be_read_says_so_and_keeps_what_it_has_given(text):
    pool = pool_from_resource(a_pool(retention=text), 1)

    assert str(text) in pool.misconfigured
    assert pool.retention_text == str(text)
    assert pool.retention.until(NOON) == END_OF_TIME


@pytest.mark.parametrize(
    "grant",
    [
        {},
        {"user": "ann", "role": "student"},
        {"user": "ann", "may": ["fly"]},
        {"user": "ann", "may": "start"},
        {"user": "ann", "may": [{}]},
        "ann",
        None,
    ],
)
def test_a_pool_with_a_broken_grant_says_so_and_keeps_the_others(grant):
    pool = pool_from_resource(a_pool(permissions=[grant, {"user": "bob", "may": ["*"]}]), 1)

    assert pool.misconfigured
    assert isinstance(pool.retention, RetainForever)
    assert permissions_for(a_user("bob"), pool.grants) == EVERY_PERMISSION
    assert permissions_for(a_user("ann"), pool.grants) == frozenset()


@given(json)
def test_whatever_a_pool_says_it_is_a_pool(spec):
    """One broken definition must not hide the others."""
    assert pool_from_resource({"metadata": {"name": "win11"}, "spec": spec}, 1).name == "win11"


# VMs.


def test_a_new_vm_is_off_and_nobodys():
    vm = vm_from_resource(a_vm(), 3)

    assert (vm.name, vm.version, vm.state) == ("vm1", 3, MachineState.STOPPED)
    assert vm.assignment is None
    assert vm.last_used == NEVER
    assert vm_from_resource(a_vm(**resources.with_status_defaults({})), 3) == vm


def test_everything_that_a_vm_shows_is_read():
    vm = vm_from_resource(
        {
            "metadata": {"name": "vm1", "deletionTimestamp": "2026-01-15T12:00:00Z"},
            "spec": {"pools": ["win11", "lab"], "vm": {"state": "Running"}},
            "status": {
                "runnerVersion": "4.0.1",
                "conditions": [a_condition("Running"), a_condition("Booted"), a_condition("ConsoleConnected")],
                "assignment": {"pool": "win11", "user": "ann", "lastUsed": "2026-01-15T12:00:00.123456789Z"},
                "loggedInUser": "ann",
                "consoleUser": "bob",
                "osinfo": {"pretty-name": "Debian 12"},
            },
        },
        1,
    )

    assert vm.pools == {"win11", "lab"}
    assert vm.requested is RequestedState.RUNNING
    assert vm.running
    assert vm.booted.since == NOON
    assert vm.console_open
    assert vm.assignment == Assignment("win11", "ann", NOON + timedelta(microseconds=123456))
    assert (vm.logged_in_user, vm.console_user, vm.os) == ("ann", "bob", "Debian 12")
    assert vm.being_deleted


def test_a_vm_whose_runner_has_gone_is_not_running_whatever_the_condition_says():
    vm = vm_from_resource(a_vm(conditions=[a_condition("Running"), a_condition("ConsoleConnected")]), 1)

    assert not vm.running
    assert vm.running.since == NOON
    assert not vm.console_open


@pytest.mark.parametrize("part", ["pool", "user"])
def test_an_assignment_without_a_pool_or_a_user_is_none(part):
    parts = {"pool": "win11", "user": "ann", "lastUsed": "2026-01-15T12:00:00Z"}
    del parts[part]

    assert vm_from_resource(a_vm(assignment=parts), 1).assignment is None


@pytest.mark.parametrize("text", ["", "yesterday", "2026-01-15T12:00:00", "0001-01-01T00:00:00+19:00", None, 5])
def test_a_time_that_cannot_be_read_is_never(text):
    assert resources.parse_time(text) == NEVER


ANNS = {"pool": "win11", "user": "ann", "lastUsed": "2026-01-15T12:00:00Z"}


def without(part):
    return {key: value for key, value in ANNS.items() if key != part}


@pytest.mark.parametrize(
    ("status", "defect"),
    [
        ({"assignment": without("pool")}, Defect(Wrong.PARTIAL_ASSIGNMENT, "pool")),
        ({"assignment": without("user")}, Defect(Wrong.PARTIAL_ASSIGNMENT, "user")),
        ({"assignment": without("lastUsed")}, Defect(Wrong.PARTIAL_ASSIGNMENT, "lastUsed")),
        ({"assignment": {"user": "ann"}}, Defect(Wrong.PARTIAL_ASSIGNMENT, "pool, lastUsed")),
        ({"assignment": {**ANNS, "user": ""}}, Defect(Wrong.PARTIAL_ASSIGNMENT, "user")),
        ({"assignment": {**ANNS, "user": 5}}, Defect(Wrong.PARTIAL_ASSIGNMENT, "user")),
        ({"assignment": {**ANNS, "lastUsed": "yesterday"}}, Defect(Wrong.ASSIGNMENT_TIME)),
        ({"conditions": [a_condition("Running", since="noon")]}, Defect(Wrong.CONDITION_TIME, "Running")),
        ({"conditions": [a_condition("Booted", since=None)]}, Defect(Wrong.CONDITION_TIME, "Booted")),
        ({"conditions": [a_condition("Running", "yes")]}, Defect(Wrong.CONDITION_STATUS, "Running")),
        ({"conditions": [a_condition("Odd")]}, Defect(Wrong.UNKNOWN_CONDITION, "Odd")),
        ({"conditions": [a_condition(["Odd"])]}, Defect(Wrong.UNKNOWN_CONDITION, "['Odd']")),
        ({"conditions": ["odd"]}, Defect(Wrong.UNKNOWN_CONDITION, "None")),
    ],
    ids=str,
)
def test_what_is_wrong_with_a_status_is_told(status, defect):
    assert vm_from_resource(a_vm(**status), 1).defects == (defect,)


@pytest.mark.parametrize("resource", [{}, {"spec": None}, {"spec": []}], ids=str)
def test_a_vm_without_a_spec_is_told_to_have_none(resource):
    vm = vm_from_resource({"metadata": {"name": "vm1"}, **resource}, 1)

    assert vm.defects == (Defect(Wrong.NO_SPEC),)
    assert vm.pools == frozenset()


def test_a_vms_grant_that_cannot_be_read_is_told_and_grants_nothing():
    vm = vm_from_resource(a_vm({"vm": {}, "permissions": [{"user": "ann", "may": ["fly"]}]}), 1)

    [defect] = vm.defects
    assert defect.kind is Wrong.GRANT
    assert '"fly"' in str(defect)
    assert vm.grants == ()


@pytest.mark.parametrize(
    "status",
    [
        {},
        resources.with_status_defaults({}),
        {"assignment": {}},
        {"assignment": {"pool": "", "user": "", "lastUsed": ""}},
        {"assignment": ANNS},
        {"conditions": [a_condition("Running", "Unknown", since="1970-01-01T00:00:00Z")]},
    ],
)
def test_nothing_is_wrong_with_a_vm_as_vm_operator_writes_it(status):
    assert vm_from_resource(a_vm(**status), 1).defects == ()


@pytest.mark.parametrize("kind", Wrong)
def test_what_is_wrong_is_told_in_a_sentence_and_long_details_are_cut(kind):
    text = str(Defect(kind, "x" * 1000))

    assert text[0].isupper()
    assert len(text) < 300


@given(json, json)
def test_whatever_a_vm_says_it_is_a_vm(spec, status):
    assert vm_from_resource({"metadata": {"name": "vm1"}, "spec": spec, "status": status}, 1).name == "vm1"


# What is written.


@given(moments)
def test_times_come_back_as_they_were_written(moment):
    text = resources.time_text(moment)

    assert text.endswith("Z")
    assert resources.parse_time(text) == moment


@given(statuses, st.text(min_size=1), st.text(min_size=1), moments)
def test_an_assignment_comes_back_and_everything_else_stays(status, pool, user, moment):
    before = deepcopy(status)

    written = with_assignment(status, Assignment(pool, user, moment))

    assert vm_from_resource(a_vm(**written), 1).assignment == Assignment(pool, user, moment)
    assert status == before
    for after in (written, with_assignment(written, None)):
        assert {key: value for key, value in after.items() if key != "assignment"} == {
            key: value for key, value in before.items() if key != "assignment"
        }


def test_a_released_vm_has_an_empty_assignment():
    """One that lacks only a part of it breaks every lookup of VM-Operator."""
    given_away = with_assignment({}, Assignment("win11", "ann", NOON))

    assert with_assignment(given_away, None) == {"assignment": {}}


@given(statuses)
def test_defaults_change_nothing_that_is_there(status):
    filled = resources.with_status_defaults(status)

    assert {key: filled[key] for key in status} == status
    assert {"conditions", "consoleUser", "assignment"} <= filled.keys()


def test_a_condition_changes_in_its_place_and_foreign_ones_stay():
    foreign = a_condition("Backup", other="field")
    status = {"conditions": [foreign, a_condition("Running", "False", ours="kept"), "?"]}

    written = set_condition(status, "Running", on=True, reason="VmStarted", now=NOON, generation=3)

    assert written["conditions"] == [
        foreign,
        {
            "type": "Running",
            "status": "True",
            "observedGeneration": 3,
            "lastTransitionTime": "2026-01-15T12:00:00Z",
            "reason": "VmStarted",
            "message": "",
            "ours": "kept",
        },
        "?",
    ]


def test_a_new_condition_is_added():
    written = set_condition({}, "Booted", on=False, reason="BootTimeout", now=NOON, message="Nothing heard.")

    [condition] = written["conditions"]
    assert (condition["type"], condition["message"]) == ("Booted", "Nothing heard.")


def test_a_new_reason_does_not_move_the_time_and_a_new_message_alone_is_no_change():
    status = set_condition({}, "Running", on=True, reason="VmStarted", now=NOON)
    later = NOON + timedelta(hours=1)

    terminating = set_condition(status, "Running", on=True, reason="VmTerminating", now=later)
    again = set_condition(status, "Running", on=True, reason="VmStarted", now=later, message="new")
    off = set_condition(terminating, "Running", on=False, reason="VmStopped", now=later)

    assert terminating["conditions"][0]["lastTransitionTime"] == "2026-01-15T12:00:00Z"
    assert again == status
    assert off["conditions"][0]["lastTransitionTime"] == "2026-01-15T13:00:00Z"


def test_wanting_a_vm_to_run_changes_nothing_else():
    vm = {"metadata": {"name": "vm1"}, "spec": {"pools": ["a"], "vm": {"maximumRam": "1G"}}, "more": 1}

    wanted = resources.with_requested_state(vm, RequestedState.RUNNING)

    assert wanted["spec"] == {"pools": ["a"], "vm": {"maximumRam": "1G", "state": "Running"}}
    assert wanted["more"] == 1
    assert "state" not in vm["spec"]["vm"]


def test_the_disks_are_whose_who_was_let_in_last():
    """For whom the VM was started first; then who was let in; and what nobody is left of is not forgotten by that."""
    fresh = a_vm(assignment={"pool": "win11", "user": "ann", "lastUsed": "2026-01-15T12:00:00Z"})
    assert vm_from_resource(fresh, 1).disk_user is None
    assert vm_from_resource(resources.with_session(fresh, "ann"), 1).disk_user is None, "no disk was ever used"

    anns = resources.with_disk_used(fresh)
    bobs = resources.with_session(anns, "bob")

    assert vm_from_resource(anns, 1).disk_user == "ann"
    assert vm_from_resource(bobs, 1).disk_user == "bob"
    assert vm_from_resource(resources.with_disk_used(bobs), 1).disk_user == "bob"
    assert vm_from_resource(resources.with_session(bobs, NOBODY), 1).disk_user == "bob"
    assert vm_from_resource(resources.with_disk_used(a_vm()), 1).disk_user == NOBODY
