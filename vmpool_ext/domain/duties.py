"""What a VM needs that nobody clicks: one next step, told by how the VM is and what time it is (R10, end actions).

Each step leaves the VM so that the next look finds the next step. So it does not matter who takes a step, how often it is
tried, or where a broker is killed in between.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from vmpool_ext.domain.assignment import is_kept, kept_until
from vmpool_ext.domain.disks import is_to_be_discarded
from vmpool_ext.domain.login import login_failed, login_wanted, why_never_logged_in
from vmpool_ext.domain.machine import NOBODY, MachineState, RequestedState
from vmpool_ext.domain.pool import EndAction
from vmpool_ext.domain.retention import END_OF_TIME, after

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from vmpool_ext.domain.machine import Assignment, VirtualMachine
    from vmpool_ext.domain.pool import Pool

LOGIN_AGAIN_AFTER = timedelta(minutes=1)
"""A login that failed is tried again so much later."""


class UsedVm(StrEnum):
    """What a user gets whose VM somebody else was in: the session ended first, or as it is, as VM-Operator does."""

    CLEAN = "clean"
    KEEP = "keep"


class Step(StrEnum):
    """What is to be done to a VM next."""

    RESTART = "restart"
    """End the run that holds another's session, and begin a new one."""
    HAND_OVER_LOGIN = "hand over login"
    """Log out who was logged in before, then mark the run as the new user's, or nobody's."""
    MARK = "mark"
    """Note whose session the run holds from now on."""
    LOG_IN = "log in"
    LOG_OUT = "log out"
    STOP = "stop"
    RELEASE = "release"
    DISCARD = "discard"
    """Throw away what was written to the VM's disks, as soon as it is off."""
    ASK_FOR_POOL = "ask for pool"
    """Find out whether the assigning pool is really gone; then release (R11)."""


@dataclass(frozen=True, slots=True)
class Duty:
    """The next step, and the user whom it is about if it is about one."""

    step: Step
    user: str = ""


def next_duty(vm: VirtualMachine, pools: Mapping[str, Pool], now: datetime, used_vm: UsedVm) -> Duty | None:
    """Tell what is to be done to the VM next; None is nothing, for now."""
    if vm.being_deleted or (vm.assignment is None and vm.assignment_unclear):
        return None
    if vm.assignment is None:
        return _of_free(vm, pools) or _for_login(vm, pools, now)
    if vm.assignment.pool not in pools:
        return Duty(Step.ASK_FOR_POOL)
    if not is_kept(vm, pools, now):
        return _at_the_end(vm, pools[vm.assignment.pool].end_action)
    return _of_assigned(vm, vm.assignment, pools, now, used_vm)


def next_duty_at(vm: VirtualMachine, pools: Mapping[str, Pool], now: datetime) -> datetime:
    """Tell when the mere passing of time next changes what is to be done."""
    moments = []
    if vm.assignment and vm.assignment.pool in pools and not vm.console_open:
        moments.append(kept_until(vm, pools))
    if login_failed(vm):
        moments.append(after(vm.user_logged_in.since, LOGIN_AGAIN_AFTER))
    return min((moment for moment in moments if moment > now), default=END_OF_TIME)


def _of_assigned(
    vm: VirtualMachine, assignment: Assignment, pools: Mapping[str, Pool], now: datetime, used_vm: UsedVm
) -> Duty | None:
    if is_to_be_discarded(vm, pools):
        return Duty(Step.DISCARD)
    if vm.state is not MachineState.RUNNING:
        return None
    return _for_handover(vm, assignment, pools, used_vm) or _for_login(vm, pools, now)


def _of_free(vm: VirtualMachine, pools: Mapping[str, Pool]) -> Duty | None:
    """Nobody's VM: whoever was logged in is not any more; where disks are discarded it goes off for that."""
    if vm.logged_in_user != vm.login_user and (duty := _log_out(vm)):
        return duty
    if vm.console_open or not vm.disk_used or not _discards(vm, pools):
        return None
    if vm.running or vm.requested is RequestedState.RUNNING:
        may_end = vm.requested is RequestedState.RUNNING and vm.running and not vm.untouched
        return Duty(Step.STOP) if may_end else None
    return Duty(Step.DISCARD)


def _discards(vm: VirtualMachine, pools: Mapping[str, Pool]) -> bool:
    return any(pool in pools and pools[pool].end_action is EndAction.DISCARD for pool in vm.pools)


def _at_the_end(vm: VirtualMachine, action: EndAction) -> Duty | None:
    """Retention has ended, and nobody is connected."""
    if action is EndAction.LOGOUT:
        return _log_out(vm)
    if action in (EndAction.STOP, EndAction.DISCARD) and vm.requested is RequestedState.RUNNING:
        return Duty(Step.STOP)
    if action is not EndAction.DISCARD or vm.running:
        return None
    return Duty(Step.DISCARD) if vm.disk_used else Duty(Step.RELEASE)


def _for_handover(
    vm: VirtualMachine, assignment: Assignment, pools: Mapping[str, Pool], used_vm: UsedVm
) -> Duty | None:
    """End another's session: by the agent where it was the agent that began it and will begin the next, else wholly."""
    if vm.discarding:
        return Duty(Step.RESTART)
    if vm.is_clean_for(assignment.user):
        return None
    if used_vm is UsedVm.KEEP:
        return Duty(Step.MARK, assignment.user)
    if _agent_began_it(vm) and pools[assignment.pool].login_on_assignment:
        return Duty(Step.HAND_OVER_LOGIN, assignment.user)
    return Duty(Step.RESTART)


def _agent_began_it(vm: VirtualMachine) -> bool:
    return vm.agent_there and vm.logged_in_user is not None and vm.logged_in_user == vm.session_user


def _log_out(vm: VirtualMachine) -> Duty | None:
    if _agent_began_it(vm):
        return Duty(Step.HAND_OVER_LOGIN, NOBODY)
    return Duty(Step.LOG_OUT) if vm.agent_there and vm.logged_in_user else None


def _for_login(vm: VirtualMachine, pools: Mapping[str, Pool], now: datetime) -> Duty | None:
    wanted = login_wanted(vm, pools)
    if wanted in (None, vm.logged_in_user) or not vm.agent_there or why_never_logged_in(vm, pools):
        return None
    if login_failed(vm) and now < after(vm.user_logged_in.since, LOGIN_AGAIN_AFTER):
        return None
    holder = vm.assignment.user if vm.assignment else wanted
    return Duty(Step.MARK, holder) if vm.session_user is None else Duty(Step.LOG_IN, wanted or "")
