"""Stored pools and VMs, read into values by a reader of the tests' own."""

from datetime import datetime

from tests.builders import a_pool
from vmpool_ext.domain.machine import Assignment, Condition, RequestedState, SessionMark, VirtualMachine
from vmpool_ext.domain.permission import Grant, parse_permissions

SESSION = "vmpool-ext.jupyter.org/session"
ENDING_RUN = "vmpool-ext.jupyter.org/ending-run"


def read_vm(version, resource):
    metadata, spec, status = resource["metadata"], resource["spec"], resource.get("status") or {}
    conditions = {each["type"]: each for each in status.get("conditions", ())}
    notes = metadata.get("annotations") or {}
    return VirtualMachine(
        name=metadata["name"],
        version=version,
        pools=frozenset(spec["pools"]),
        requested=RequestedState(spec["vm"]["state"]),
        running=_condition(conditions.get("Running")),
        booted=_condition(conditions.get("Booted")),
        console_connected=_condition(conditions.get("ConsoleConnected")),
        assignment=_assignment(status.get("assignment") or {}),
        session=_session(notes.get(SESSION)),
        ending_run=_time(notes[ENDING_RUN]) if ENDING_RUN in notes else None,
        logged_in_user=status.get("loggedInUser") or None,
        console_user=status.get("consoleUser") or None,
        being_deleted="deletionTimestamp" in metadata,
    )


def read_pool(resource):
    spec = resource["spec"]
    grants = tuple(Grant(parse_permissions(each["may"]), user=each["user"]) for each in spec["permissions"])
    login = spec.get("loginOnAssignment", False)
    return a_pool(resource["metadata"]["name"], retention=spec["retention"], grants=grants, login_on_assignment=login)


def _assignment(told):
    return Assignment(told["pool"], told["user"], _time(told["lastUsed"])) if told.get("user") else None


def _session(text):
    if text is None:
        return None
    user, _, run = text.partition(" ")
    return SessionMark(user, _time(run))


def _condition(told):
    if told is None:
        return Condition()
    return Condition(told["status"] == "True", _time(told["lastTransitionTime"]), told["reason"])


def _time(text):
    return datetime.fromisoformat(text)
