"""Custom resources as the CRDs write them, read into values of the domain; and the parts of a status that we write.

Reading never fails for a resource that has a name, whatever else is wrong with it: one broken definition must not hide
the others. Writing gives a new dict, in which every field that is not ours is as it was.
"""

from __future__ import annotations

from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from vmpool_ext.domain.defects import Defect, Wrong
from vmpool_ext.domain.errors import InvalidDefinition
from vmpool_ext.domain.machine import NEVER, NOBODY, Assignment, Condition, RequestedState, SessionMark, VirtualMachine
from vmpool_ext.domain.permission import Grant, parse_permissions
from vmpool_ext.domain.pool import EndAction, Pool
from vmpool_ext.domain.retention import (
    DEFAULT_RETENTION,
    RetainForever,
    Retention,
    parse_retention,
    why_not_for_vm_operator,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Resource = dict[str, Any]

POOL_KIND = "VmPool"
VM_KIND = "VirtualMachine"

RUNNING = "Running"
BOOTED = "Booted"
AGENT_CONNECTED = "VmopAgentConnected"
USER_LOGGED_IN = "UserLoggedIn"
CONSOLE_CONNECTED = "ConsoleConnected"
CONDITIONS = (RUNNING, BOOTED, AGENT_CONNECTED, USER_LOGGED_IN, CONSOLE_CONNECTED)
_STATUSES = ("True", "False", "Unknown")

ANNOTATION = "vmpool-ext.jupyter.org/"
"""What begins the names of our own annotations: what a pool or VM needs beyond the fields of its CRD."""

SESSION = f"{ANNOTATION}session"
"""On a VM: whose session the run holds that began then, as ``<user> <time>``."""
ENDING_RUN = f"{ANNOTATION}ending-run"
"""On a VM: which run is to end and be followed by another, as the time when it began."""
DISK = f"{ANNOTATION}disk"
"""On a VM: what is known of its disks, or nothing of those that were never used."""
DISK_USED = "used"
"""Something may have been written to them; behind it, by whom: who was let in last, or for whom it was started first."""
DISK_TO_DISCARD = "discard"
"""What was written is to be thrown away as soon as the VM is off."""
END_ACTION = f"{ANNOTATION}end-action"
"""On a pool: what becomes of a VM when it is given back or its retention has ended."""

OWN_VM_ANNOTATIONS = (SESSION, ENDING_RUN, DISK)
"""Those that we write: no definition changes them."""

# A pool's grant that names no permission opens the console; a VM's grants nothing (the two CRDs differ).
_POOL_MAY = ("accessConsole",)
_VM_MAY = ()


def vm_from_resource(resource: Mapping[str, Any], version: int, **of_backend: Any) -> VirtualMachine:
    """Read a VM; what cannot be read grants nothing and assigns nothing, and is among its defects.

    What all VMs of a backend are, or what it knows from elsewhere, it says itself.
    """
    metadata, spec, status = (_mapping(resource, part) for part in ("metadata", "spec", "status"))
    (conditions, wrong), notes = _conditions(status), annotations_of(resource)
    grants, broken_grant = _grants(spec, _VM_MAY)
    assignment, wrong_parts = _assignment(status)
    return VirtualMachine(
        name=metadata["name"],
        uid=metadata.get("uid") or "",
        version=version,
        pools=frozenset(_texts(spec.get("pools"))),
        grants=grants,
        requested=requested_state(resource),
        running=_really_running(status, conditions[RUNNING]),
        booted=conditions[BOOTED],
        agent_connected=conditions[AGENT_CONNECTED],
        user_logged_in=conditions[USER_LOGGED_IN],
        console_connected=conditions[CONSOLE_CONNECTED],
        assignment=assignment,
        session=_session(notes.get(SESSION)),
        ending_run=_moment(notes.get(ENDING_RUN)),
        disk_user=_disk_user(notes.get(DISK)),
        discarding=notes.get(DISK) == DISK_TO_DISCARD,
        login_user=_text(_mapping(_mapping(spec, "vm"), "display").get("loggedInUser")),
        logged_in_user=_text(status.get("loggedInUser")),
        console_user=_text(status.get("consoleUser")),
        os=_text(_mapping(status, "osinfo").get("pretty-name")),
        being_deleted=is_being_deleted(resource),
        defects=(*_wrong_with_definition(resource, broken_grant), *wrong_parts, *wrong),
        **of_backend,
    )


def pool_from_resource(resource: Mapping[str, Any], version: int) -> Pool:
    """Read a pool; one with a part that cannot be read keeps what it has given and says what is wrong with it."""
    metadata, spec = _mapping(resource, "metadata"), _mapping(resource, "spec")
    text = _given(spec, "retention", DEFAULT_RETENTION)
    grants, broken_grant = _grants(spec, _POOL_MAY)
    retention, broken_retention = _retention(str(text))
    end_action, broken_action = _end_action(annotations_of(resource).get(END_ACTION))
    broken = broken_retention or broken_grant or broken_action
    return Pool(
        name=metadata["name"],
        uid=metadata.get("uid") or "",
        version=version,
        grants=grants,
        retention=RetainForever() if broken else retention,
        retention_text=str(text),
        login_on_assignment=spec.get("loginOnAssignment") is True,
        end_action=end_action,
        misconfigured=broken,
        warning=None if broken else why_not_for_vm_operator(str(text)),
    )


def requested_state(resource: Mapping[str, Any]) -> RequestedState:
    """Read what the definition wants; off, unless it says otherwise in the CRD's words."""
    wanted = _mapping(_mapping(resource, "spec"), "vm").get("state")
    return RequestedState.RUNNING if wanted == RequestedState.RUNNING else RequestedState.STOPPED


def is_being_deleted(resource: Mapping[str, Any]) -> bool:
    """Whether somebody has asked for the resource to go."""
    return bool(_mapping(resource, "metadata").get("deletionTimestamp"))


def annotations_of(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give what is noted on a resource beyond the fields of its CRD."""
    return _mapping(_mapping(resource, "metadata"), "annotations")


def with_annotation(resource: Resource, name: str, text: str | None) -> Resource:
    """Note something on the resource; None takes the note away."""
    noted = {**annotations_of(resource), name: text}
    kept = {key: value for key, value in noted.items() if value is not None}
    return {**resource, "metadata": {**_mapping(resource, "metadata"), "annotations": kept}}


def with_session(resource: Resource, user: str) -> Resource:
    """Note whose session the present run holds, and so who may write to the disks."""
    if user != NOBODY and _disk_user(annotations_of(resource).get(DISK)):
        resource = with_annotation(resource, DISK, f"{DISK_USED} {user}")
    return with_annotation(resource, SESSION, f"{user} {time_text(_run(resource))}")


def with_ending_run(resource: Resource) -> Resource:
    """Note that the present run is to end and be followed by another."""
    return with_annotation(resource, ENDING_RUN, time_text(_run(resource)))


def with_disk_used(resource: Resource) -> Resource:
    """Note that something may have been written to the disks, and by whom, unless it was noted before."""
    if annotations_of(resource).get(DISK):
        return resource
    assignment, _ = _assignment(_mapping(resource, "status"))
    return with_annotation(resource, DISK, f"{DISK_USED} {assignment.user if assignment else NOBODY}")


def with_requested_state(resource: Resource, state: RequestedState) -> Resource:
    """Want the VM to run or to be off; the rest of the resource is as it was."""
    spec = _mapping(resource, "spec")
    return {**resource, "spec": {**spec, "vm": {**_mapping(spec, "vm"), "state": state.value}}}


def with_status_defaults(status: Mapping[str, Any]) -> Resource:
    """Fill in what the CRD's defaults give a VM that nothing has happened to."""
    defaults: Resource = {
        "cpus": 0,
        "ram": "0",
        "consoleClient": "",
        "consoleUser": "",
        "displayPasswordSerial": 0,
        "assignment": {},
        "conditions": [_new_condition(type_) for type_ in CONDITIONS],
    }
    return {**defaults, **deepcopy(dict(status))}


def with_assignment(status: Mapping[str, Any], assignment: Assignment | None) -> Resource:
    """Write or remove the three parts of an assignment together (R1)."""
    # Without an assignment it is an empty object, as by the CRD's default: one that lacks a part breaks VM-Operator.
    parts = {}
    if assignment is not None:
        used = time_text(assignment.last_used)
        parts = {"pool": assignment.pool, "user": assignment.user, "lastUsed": used}
    return {**status, "assignment": parts}


def set_condition(  # noqa: PLR0913  # a condition has so many fields
    status: Mapping[str, Any],
    type_: str,
    *,
    on: bool,
    reason: str,
    now: datetime,
    message: str = "",
    generation: int = 1,
) -> Resource:
    """Write a condition as VM-Operator's runner does.

    A new message alone is no change; the time is that of the last change of the condition's status. Conditions that
    are not ours stay, and keep their places.
    """
    conditions = list(_list(status.get("conditions")))
    place = next((n for n, one in enumerate(conditions) if _is_of_type(one, type_)), len(conditions))
    old = conditions[place] if place < len(conditions) else {}
    said = {"status": str(on), "observedGeneration": generation, "reason": reason}
    if all(old.get(key) == value for key, value in said.items()):
        return dict(status)
    kept = old.get("lastTransitionTime") if old.get("status") == str(on) else None
    conditions[place : place + 1] = [
        {**old, "type": type_, **said, "lastTransitionTime": kept or time_text(now), "message": message},
    ]
    return {**status, "conditions": conditions}


def time_text(moment: datetime) -> str:
    """Write a time as Java's `Instant.parse` reads it.

    >>> time_text(datetime(2026, 1, 15, 12, 30, tzinfo=UTC))
    '2026-01-15T12:30:00Z'
    """
    return moment.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


def parse_time(text: object) -> datetime:
    """Read a time; what is none, or has no zone, is `NEVER`.

    >>> parse_time("2026-01-15T12:30:00.123456789Z").isoformat()
    '2026-01-15T12:30:00.123456+00:00'
    """
    return _known_time(text) or NEVER


def _known_time(text: object) -> datetime | None:
    return _time_of(text) if isinstance(text, str) else None


@lru_cache(maxsize=2**14)
def _time_of(text: str) -> datetime | None:
    """Read each time once: most conditions of a VM changed at the same time, or never."""
    with suppress(ValueError, OverflowError):
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    return None


def _new_condition(type_: str) -> Resource:
    never = {"status": "False", "observedGeneration": 1, "lastTransitionTime": time_text(NEVER)}
    return {"type": type_, **never, "reason": "Creation", "message": ""}


def _conditions(status: Mapping[str, Any]) -> tuple[dict[str, Condition], list[Defect]]:
    """Give those that are ours, and what is wrong with any: in one pass, since 10,000 VMs are read."""
    conditions, wrong = dict.fromkeys(CONDITIONS, Condition()), []
    for one in _list(status.get("conditions")):
        type_ = one.get("type") if isinstance(one, dict) else None
        if not isinstance(type_, str) or type_ not in conditions:
            wrong.append(Defect(Wrong.UNKNOWN_CONDITION, str(type_)))
            continue
        said, time = one.get("status"), one.get("lastTransitionTime")
        since = _time_of(time) if isinstance(time, str) else None
        conditions[type_] = Condition(
            status=said == "True",
            since=since or NEVER,
            reason=str(one.get("reason", "")),
            message=str(one.get("message", "")),
        )
        if since is None:
            wrong.append(Defect(Wrong.CONDITION_TIME, type_))
        if said not in _STATUSES:
            wrong.append(Defect(Wrong.CONDITION_STATUS, type_))
    return conditions, wrong


def _really_running(status: Mapping[str, Any], running: Condition) -> Condition:
    # A runner that died leaves the condition true for ever; only its version is taken away.
    return running if status.get("runnerVersion") else replace(running, status=False)


def _assignment(status: Mapping[str, Any]) -> tuple[Assignment | None, Iterable[Defect]]:
    """Give it, and what is wrong with it: none is nobody's, but a part of one hides whose the VM is (R1)."""
    parts = _mapping(status, "assignment")
    if not parts:
        return None, ()
    pool, user, used = _text(parts.get("pool")), _text(parts.get("user")), _text(parts.get("lastUsed"))
    moment = _known_time(used)
    assignment = Assignment(pool, user, moment or NEVER) if pool and user else None
    return assignment, () if assignment and moment else _wrong_with_parts(pool=pool, user=user, lastUsed=used)


def _wrong_with_parts(**parts: str | None) -> Iterable[Defect]:
    missing = [name for name, text in parts.items() if not text]
    if not missing:
        return (Defect(Wrong.ASSIGNMENT_TIME),)
    return (Defect(Wrong.PARTIAL_ASSIGNMENT, ", ".join(missing)),) if len(missing) < len(parts) else ()


def _wrong_with_definition(resource: Mapping[str, Any], broken_grant: str | None) -> Iterable[Defect]:
    if not isinstance(resource.get("spec"), dict):
        return (Defect(Wrong.NO_SPEC),)
    return (Defect(Wrong.GRANT, broken_grant),) if broken_grant else ()


def _run(resource: Mapping[str, Any]) -> datetime:
    return _conditions(_mapping(resource, "status"))[0][RUNNING].since


def _session(text: object) -> SessionMark | None:
    """Read a mark; one that cannot be read is none, and what else is known of the run decides."""
    user, _, run = text.partition(" ") if isinstance(text, str) else ("", "", "")
    began = _moment(run)
    return SessionMark(user, began) if user and began else None


def _disk_user(text: object) -> str | None:
    used, _, user = text.partition(" ") if isinstance(text, str) else ("", "", "")
    return (user or NOBODY) if used == DISK_USED else None


def _moment(text: object) -> datetime | None:
    moment = parse_time(text)
    return None if moment == NEVER else moment


def _end_action(text: object) -> tuple[EndAction, str | None]:
    if text is None:
        return EndAction.KEEP, None
    try:
        return EndAction(str(text)), None
    except ValueError:
        known = ", ".join(EndAction)
        return EndAction.KEEP, f'The end action "{str(text)[:32]}" is none of {known}.'


def _retention(text: str) -> tuple[Retention, str | None]:
    try:
        return parse_retention(text), None
    except InvalidDefinition as error:
        return RetainForever(), str(error)


def _grants(spec: Mapping[str, Any], default: Iterable[str]) -> tuple[tuple[Grant, ...], str | None]:
    """Give those that can be read, and what is wrong with the first of the others."""
    grants, broken = [], None
    for entry in _list(spec.get("permissions")):
        try:
            grants.append(_grant(entry, default))
        except InvalidDefinition as error:
            broken = broken or str(error)
    return tuple(grants), broken


def _grant(entry: object, default: Iterable[str]) -> Grant:
    if not isinstance(entry, dict) or not isinstance(may := _given(entry, "may", list(default)), list):
        message = "A permission is an object with a user or a role and a list of what it allows."
        raise InvalidDefinition(message)
    return Grant(parse_permissions(may), user=_text(entry.get("user")), role=_text(entry.get("role")))


def _given(part: Mapping[str, Any], key: str, default: Any) -> Any:
    """Give the default for null too, as an API server does."""
    value = part.get(key)
    return default if value is None else value


def _mapping(parent: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = parent.get(key)
    return part if isinstance(part, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _texts(value: object) -> list[str]:
    return [one for one in _list(value) if isinstance(one, str)]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _is_of_type(condition: object, type_: str) -> bool:
    return isinstance(condition, dict) and condition.get("type") == type_
