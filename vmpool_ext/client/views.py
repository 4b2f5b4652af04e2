"""What the server tells of pools and VMs, field by field as in `docs/api.md`, and the words for how a VM is."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

State = Literal["stopped", "starting", "running", "stopping", "failed"]
ConsoleState = Literal["closed", "open", "inUse"]
Display = Literal["vnc", "spice"]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is not to be had: a code, and the permission that is missing if it is that."""

    code: str
    permission: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """What went wrong with a VM, in the words of its backend or of its guest's agent."""

    code: str
    message: str


@dataclass(eq=False, repr=False)
class VmFacts:
    """A VM, as the server showed it last. Times are in UTC."""

    name: str
    state: State
    booted: bool
    """Whether the guest's agent has greeted; a guest without one never does."""
    logged_in_user: str | None
    """You, when the guest has logged you in."""
    console: ConsoleState
    display: Display
    """What its console is opened with."""
    since: datetime | None
    """Since when it runs or does not run; None if it was never started."""
    retained_until: datetime | None
    """Until when it is kept for you if its console stays closed; None while it is open or where there is no end."""
    os: str | None
    may: tuple[str, ...]
    """What you may by grants on the VM itself."""
    fault: Fault | None
    why: Mapping[str, Reason]
    """Of start, stop, reset, console and release those that are not to be had now, and why."""
    used_by: str | None
    """Whom opening the console would disconnect, or whose VM it is, for those who may know."""

    @property
    def phase(self) -> str:
        """How it is, in words."""
        return phase_of(self)


@dataclass(eq=False, repr=False)
class PoolFacts:
    """A pool, as the server showed it last."""

    name: str
    free: int
    """VMs that could be assigned now."""
    total: int
    retention: str
    may: tuple[str, ...]
    why: Mapping[str, Reason]
    """Of start, stop, reset, console and release those that are not to be had now, and why."""


class PoolView(NamedTuple):
    """A pool, and your VM of it."""

    pool: PoolFacts
    vm: VmFacts | None


@dataclass(frozen=True, slots=True)
class Me:
    """Who asks, and what answers."""

    user: str
    roles: tuple[str, ...]
    administrator: bool
    mode: str
    version: str


def read_vm(told: Mapping[str, Any]) -> VmFacts:
    """Read a VM."""
    return _read(VmFacts, told)


def read_pool(told: Mapping[str, Any]) -> PoolView:
    """Read a pool; what may be done with its VM stands in the pool."""
    vm = told.get("vm")
    return PoolView(_read(PoolFacts, told), read_vm({**vm, "why": told.get("why")}) if vm else None)


def read_me(told: Mapping[str, Any]) -> Me:
    """Read who asks."""
    return _read(Me, told)


def phase_of(vm: VmFacts) -> str:
    """Say how a VM is, in the words of the panel."""
    if vm.state == "running":
        return _phase_of_running(vm)
    if vm.state == "starting":
        return "being prepared" if console_refusal(vm) == "being-prepared" else "starting"
    return {"stopped": "off", "stopping": "shutting down"}.get(vm.state, vm.state)


def console_refusal(vm: VmFacts) -> str | None:
    """Tell the code of what keeps the console closed, or None."""
    reason = vm.why.get("console")
    return reason.code if reason else None


def login_failed(vm: VmFacts) -> bool:
    """Whether the guest did not log its user in."""
    return "login-failed" in (console_refusal(vm), vm.fault.code if vm.fault else None)


def is_silent(vm: VmFacts) -> bool:
    """Whether the guest has not greeted in all the time that it may take."""
    return vm.fault is not None and vm.fault.code == "boot-timeout"


def _phase_of_running(vm: VmFacts) -> str:
    refusal = console_refusal(vm)
    if login_failed(vm):
        return "login failed"
    if vm.console == "inUse" or refusal == "assigned-to-another":
        return "in use by another"
    if not vm.booted:
        return "on, but not answering" if is_silent(vm) else "starting up"
    return "logging you in" if refusal == "waiting-for-login" else "running"


def _read(kind: Callable[..., T], told: Mapping[str, Any]) -> T:
    """Make a value of the fields that it has; what a newer server tells besides is nobody's."""
    wire = {each.name: _camel(each.name) for each in fields(kind)}  # type: ignore[arg-type]  # a dataclass
    return kind(**{name: _READERS.get(key, _as_it_is)(told.get(key)) for name, key in wire.items()})


def _as_it_is(told: Any) -> Any:
    return told


def _words(told: Any) -> tuple[str, ...]:
    return tuple(told or ())


def _time(told: Any) -> datetime | None:
    return datetime.fromisoformat(told) if told else None


def _fault(told: Any) -> Fault | None:
    return _read(Fault, told) if told else None


def _reasons(told: Any) -> Mapping[str, Reason]:
    return {action: _read(Reason, reason) for action, reason in (told or {}).items()}


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "since": _time,
    "retainedUntil": _time,
    "fault": _fault,
    "why": _reasons,
    "may": _words,
    "roles": _words,
}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(each.capitalize() for each in others)
