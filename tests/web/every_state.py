"""Pools and VMs in every state that a user can be shown, for Ann, who may do everything where nothing else is said."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tests.builders import a_pool, a_vm
from vmpool_ext.backends.memory import MemoryBackend
from vmpool_ext.domain.machine import (
    BOOT_TIMEOUT,
    CRASHED,
    LOGIN_FAILED,
    START_FAILED,
    Assignment,
    Condition,
    RequestedState,
    SessionMark,
)
from vmpool_ext.domain.permission import EVERY_PERMISSION, Grant, parse_permissions

USER = "Ann"
"""No account in a guest can be called so: who has a capital is refused by pools that log in."""

EVERYTHING = (Grant(EVERY_PERMISSION, user=USER),)
LOOKING = (Grant(parse_permissions(["accessConsole"]), user=USER),)


class EveryState(MemoryBackend):
    """A pool or a VM for each; nothing follows what a test or a user does not do."""

    def __init__(self, clock, parent):
        super().__init__(clock, _pools(), [*_vms_of_pools(), *_own_vms()])


def _pools():
    return [
        a_pool("demo", grants=EVERYTHING),
        a_pool("looking", grants=LOOKING),
        a_pool("empty", grants=EVERYTHING),
        a_pool("exhausted", grants=EVERYTHING),
        a_pool("broken", grants=EVERYTHING, misconfigured='The retention "P" is none.'),
        a_pool("weekly", grants=EVERYTHING, warning="Not for VM-Operator."),
        a_pool("login", grants=EVERYTHING, login_on_assignment=True),
        *(a_pool(name, grants=EVERYTHING) for name in _OF_POOLS),
        *(a_pool(f"{name} for looking", grants=LOOKING) for name in _OF_POOLS),
        a_pool("foreign", grants=(Grant(EVERY_PERMISSION, user="bob"),)),
        a_pool('a b/"ü"%', grants=EVERYTHING),
    ]


def _at(ago=timedelta(0), reason="Test", *, status=True, message=""):
    return Condition(status, datetime.now(UTC) - ago, reason, message)  # noqa: TID251  # a real server has a real clock


def _running(**more):
    """On for five minutes, and Ann is in it."""
    on = _at(timedelta(minutes=5))
    mark = SessionMark(USER, on.since)
    return {"requested": RequestedState.RUNNING, "running": on, "booted": on, "session": mark, **more}


def _off(reason):
    return {"running": _at(reason=reason, status=False, message="It would not.")}


_RESTARTED = _running()
_OF_POOLS = {
    "off": {},
    "on": _running(os="Debian 13"),
    "starting": {"requested": RequestedState.RUNNING},
    "stopping": {**_running(), "requested": RequestedState.STOPPED},
    "restarting": {**_RESTARTED, "ending_run": _RESTARTED["running"].since},
    "start failed": _off(START_FAILED),
    "crashed": _off(CRASHED),
    "silent": _running(booted=_at(reason=BOOT_TIMEOUT, status=False, message="No greeting.")),
    "no agent": _running(login_user="guest", booted=_at(reason=BOOT_TIMEOUT, status=False, message="No greeting.")),
    "logged in": _running(logged_in_user=USER, login_user=USER),
    "logging in": _running(login_user="guest"),
    "login failed": _running(
        login_user="guest", user_logged_in=_at(reason=LOGIN_FAILED, status=False, message="504 No.")
    ),
    "console open": _running(console_connected=_at(), console_user=USER),
    "console in use": _running(console_connected=_at(), console_user="bob"),
    "spice": _running(display="spice"),
}


def _vms_of_pools():
    mine = datetime.now(UTC) - timedelta(hours=1)  # noqa: TID251  # as above
    for name, state in _OF_POOLS.items():
        for pool, vm in ((name, f"vm {name}"), (f"{name} for looking", f"looking {name}")):
            yield replace(a_vm(vm, pool=pool, assignment=Assignment(pool, USER, mine)), **state)
    for n in range(3):
        yield a_vm(f"demo-{n}", pool="demo")
        yield a_vm(f"login-{n}", pool="login")
    yield a_vm("exhausted-1", pool="exhausted", assignment=Assignment("exhausted", "bob", _at().since))
    yield a_vm("looking-1", pool="looking")


def _own_vms():
    bobs = Assignment("foreign", "bob", _at().since)
    for grants, who in ((EVERYTHING, "own"), (LOOKING, "looked at")):
        for name, state in _OF_POOLS.items():
            yield replace(a_vm(f"{who} {name}", pool="nobodys", grants=grants), **state)
        yield replace(a_vm(f"{who} bobs", pool="foreign", grants=grants, assignment=bobs), **_running())
    yield a_vm("foreign-1", pool="foreign", running=True)
