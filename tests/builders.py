"""Pools, VMs and users for tests: only what matters is named in the test."""

from datetime import UTC, datetime, timedelta

from vmpool_ext.domain.machine import NEVER, Assignment, Condition, RequestedState, VirtualMachine
from vmpool_ext.domain.permission import EVERY_PERMISSION, Grant, parse_permissions
from vmpool_ext.domain.pool import Pool
from vmpool_ext.domain.retention import parse_retention
from vmpool_ext.domain.user import User

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


def a_user(name="ann", *roles):
    return User(name, frozenset(roles))


def a_pool(name="win11", *, retention="PT4h", may=None, grants=None, **more):
    """Everybody with the role `student`, and ann, bob and carol by name, may do everything unless said otherwise."""
    allowed = EVERY_PERMISSION if may is None else parse_permissions(may)
    default = tuple(Grant(allowed, user=name) for name in ("ann", "bob", "carol"))
    return Pool(
        name=name,
        grants=default if grants is None else grants,
        retention=parse_retention(retention),
        retention_text=retention,
        **more,
    )


def since(*, status, ago=timedelta(0), reason="Test"):
    return Condition(status, NOON - ago, reason)


def a_vm(name="vm1", *, pool="win11", user=None, used_ago=timedelta(0), running=False, console=None, **more):
    """A VM at noon; `user` has it from `pool`, last used so long ago; `console` is (open, for how long)."""
    assignment = Assignment(pool, user, NOON - used_ago) if user else None
    ran = since(status=True, ago=timedelta(minutes=1)) if running else Condition()
    return VirtualMachine(
        name=name,
        **{
            "pools": frozenset({pool}),
            "requested": RequestedState.RUNNING if running else RequestedState.STOPPED,
            "running": ran,
            "booted": ran,
            "console_connected": since(status=console[0], ago=console[1]) if console else Condition(since=NEVER),
            "assignment": assignment,
            **more,
        },
    )
