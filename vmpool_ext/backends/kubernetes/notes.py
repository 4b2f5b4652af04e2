"""What we note on a VM beyond the fields that VM-Operator has for it: annotations, which its manager leaves alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vmpool_ext.backends.resources import ANNOTATION, DISK, ENDING_RUN, SESSION, annotations_of, parse_time, time_text
from vmpool_ext.domain.machine import LOGIN_FAILED, NEVER, Condition, RequestedState

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from vmpool_ext.domain.machine import SessionMark, VirtualMachine

LOGIN_FAILURE = f"{ANNOTATION}login-failure"
"""On a VM: when nobody was logged in who should have been, and why, as ``<time> <words>``: its status has no place for it."""

OF_THE_VM = frozenset({DISK, ENDING_RUN, LOGIN_FAILURE})
"""Those by which a VM is read otherwise than its fields say."""

Annotations = dict[str, str | None]


def are_on(resource: Mapping[str, Any]) -> bool:
    """Whether there is any by which the VM is read otherwise: seldom, and 10,000 VMs are read."""
    return not OF_THE_VM.isdisjoint(annotations_of(resource))


def session(mark: SessionMark) -> Annotations:
    """Note whose session a run holds."""
    return {SESSION: f"{mark.user} {time_text(mark.run)}"}


def ending(run: datetime) -> Annotations:
    """Note that the run that began then is to end and be followed by another."""
    return {ENDING_RUN: time_text(run)}


NOT_ENDING: Annotations = {ENDING_RUN: None}


def is_restarting(vm: VirtualMachine) -> bool:
    """Whether the VM is wanted to be off only so that it can be started again.

    While it runs, the note has to be about this run; once it is off, there is no run that it could be about but the last.
    """
    noted = vm.ending_run is not None and vm.requested is RequestedState.STOPPED
    return noted and (not vm.running or vm.restarting)


def login_failure(now: datetime, words: str) -> Annotations:
    """Note why nobody was logged in."""
    return {LOGIN_FAILURE: f"{time_text(now)} {words}"}


def told_of_login(resource: Mapping[str, Any], told: Condition) -> Condition:
    """Give what the runner says of the login, or our own note where that is newer and nobody is logged in."""
    noted = annotations_of(resource).get(LOGIN_FAILURE)
    time, _, words = noted.partition(" ") if isinstance(noted, str) else ("", "", "")
    since = parse_time(time)
    if since == NEVER or since < told.since:
        return told
    return Condition(status=False, since=since, reason=LOGIN_FAILED, message=words)
