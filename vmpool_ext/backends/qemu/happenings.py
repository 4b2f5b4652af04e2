"""What a happening changes in a VM's resource: pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from vmpool_ext.backends import resources
from vmpool_ext.backends.resources import (
    AGENT_CONNECTED,
    BOOTED,
    CONSOLE_CONNECTED,
    DISK,
    DISK_TO_DISCARD,
    ENDING_RUN,
    RUNNING,
    SESSION,
    USER_LOGGED_IN,
    annotations_of,
    set_condition,
    with_annotation,
    with_requested_state,
    with_status_defaults,
)
from vmpool_ext.domain.machine import BOOT_TIMEOUT, LOGIN_FAILED, TERMINATING, RequestedState

if TYPE_CHECKING:
    from datetime import datetime

    from vmpool_ext.backends.qemu.command_line import Size
    from vmpool_ext.backends.resources import Resource

RUNNER_STARTED = "RunnerStarted"
VM_STARTED = "VmStarted"
VM_BOOTED = "VmBooted"
VM_RESET = "VmReset"
AGENT_STARTED = "VmopAgentStarted"
VM_STOPPED = "VmStopped"


def starting(vm: Resource, now: datetime, size: Size | None) -> Resource:
    """QEMU is about to be started; what the last run came to is past."""
    vm = _with(vm, cpus=size.cpu_count, ram=f"{size.mebibytes}Mi") if size else vm
    vm = _without(vm, "runnerVersion", "loggedInUser", "osinfo")
    return _condition(vm, RUNNING, now, on=False, reason=RUNNER_STARTED)


def to_be_discarded(vm: Resource) -> Resource:
    """What was written to the disk, if anything was, is to be thrown away."""
    return with_annotation(vm, DISK, DISK_TO_DISCARD) if annotations_of(vm).get(DISK) else vm


def running(vm: Resource, now: datetime, runner: str) -> Resource:
    """QEMU runs."""
    vm = _with(vm, runnerVersion=runner)
    seen = resources.vm_from_resource(vm, 0)
    if seen.running and seen.running.reason != TERMINATING:
        return vm
    # A run is known by when it began: no two may be the same, also where the clock was set back.
    # Nor does one begin before the console's last change, which would look like a change of this run.
    now = max(now, seen.running.since + timedelta(microseconds=1), seen.console_connected.since)
    vm = _condition(vm, RUNNING, now, on=True, reason=VM_STARTED)
    # One that was to be shut down, and was not, is as much up as it was.
    up = bool(seen.running and seen.agent_connected)
    return _condition(vm, BOOTED, now, on=up, reason=VM_BOOTED if up else VM_STARTED)


def booted(vm: Resource, now: datetime) -> Resource:
    """The guest's agent has greeted; one that is being shut down is no longer booted, whatever it says."""
    if resources.vm_from_resource(vm, 0).running.reason == TERMINATING:
        return vm
    vm = _condition(vm, BOOTED, now, on=True, reason=VM_BOOTED)
    vm = _condition(vm, AGENT_CONNECTED, now, on=True, reason=AGENT_STARTED)
    # An agent that begins anew knows of nobody, and has to be told again.
    return _condition(_without(vm, "loggedInUser"), USER_LOGGED_IN, now, on=False, reason=AGENT_STARTED)


def logged_in(vm: Resource, now: datetime, user: str) -> Resource:
    """The agent has logged the user in."""
    return _condition(_with(vm, loggedInUser=user), USER_LOGGED_IN, now, on=True, reason="LoggedIn")


def logged_out(vm: Resource, now: datetime) -> Resource:
    """The agent has logged out whoever was logged in."""
    return _condition(_without(vm, "loggedInUser"), USER_LOGGED_IN, now, on=False, reason="NotRequested")


def login_failed(vm: Resource, now: datetime, words: str) -> Resource:
    """The agent did not log the user in: it is told when, and in whose words."""
    # Its time is that of the attempt: from then on it is waited before the next one.
    doubtful = _condition(vm, USER_LOGGED_IN, now, on=True, reason="Processing")
    return _condition(doubtful, USER_LOGGED_IN, now, on=False, reason=LOGIN_FAILED, message=words)


def reset(vm: Resource, now: datetime) -> Resource:
    """The guest begins anew; nobody is logged in there any more."""
    vm = _without(vm, "loggedInUser")
    return _condition(vm, BOOTED, now, on=False, reason=VM_RESET)


def not_booted(vm: Resource, now: datetime, message: str) -> Resource:
    """No greeting came in time; one may still come."""
    if resources.vm_from_resource(vm, 0).booted:
        return vm
    return _condition(vm, BOOTED, now, on=False, reason=BOOT_TIMEOUT, message=message)


def console(vm: Resource, now: datetime, *, connected: bool) -> Resource:
    """Somebody looks at the display, or nobody does any more."""
    if resources.vm_from_resource(vm, 0).console_connected.status == connected:
        return vm
    vm = _with(vm, consoleClient="localhost" if connected else "")
    return _condition(vm, CONSOLE_CONNECTED, now, on=connected, reason="Connected" if connected else "Disconnected")


def asked_for_console(vm: Resource, user: str) -> Resource:
    """The user wants to look at the display."""
    return _with(vm, consoleUser=user)


def terminating(vm: Resource, now: datetime) -> Resource:
    """The machine is being switched off; until it is, it runs."""
    vm = _condition(vm, RUNNING, now, on=True, reason=TERMINATING)
    return _condition(vm, BOOTED, now, on=False, reason=TERMINATING)


def off(vm: Resource, now: datetime, reason: str, message: str) -> Resource:
    """The machine is off, and nothing of what was in it is left."""
    seen = resources.vm_from_resource(vm, 0)
    for note in (SESSION, ENDING_RUN):
        vm = with_annotation(vm, note, None)
    vm = _without(_with(vm, cpus=0, ram="0", consoleClient=""), "runnerVersion", "loggedInUser", "osinfo")
    vm = _condition(vm, RUNNING, now, on=False, reason=reason, message=message)
    for type_ in (BOOTED, AGENT_CONNECTED, USER_LOGGED_IN):
        vm = _condition(vm, type_, now, on=False, reason=VM_STOPPED)
    # The console's last change is the VM's last use: it moves only if somebody was there.
    return _condition(vm, CONSOLE_CONNECTED, now, on=False, reason=VM_STOPPED) if seen.console_connected else vm


def not_wanted(vm: Resource) -> Resource:
    """What ended by itself is not wanted to run any more, or it would be started for ever."""
    return with_requested_state(vm, RequestedState.STOPPED)


def _condition(vm: Resource, type_: str, now: datetime, **said: Any) -> Resource:
    generation = vm["metadata"].get("generation", 1)
    return {**vm, "status": set_condition(_status(vm), type_, now=now, generation=generation, **said)}


def _with(vm: Resource, **fields: Any) -> Resource:
    return {**vm, "status": {**_status(vm), **fields}}


def _without(vm: Resource, *fields: str) -> Resource:
    return {**vm, "status": {key: value for key, value in _status(vm).items() if key not in fields}}


def _status(vm: Resource) -> Resource:
    return with_status_defaults(vm.get("status") or {})
