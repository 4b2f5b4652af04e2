"""What Hypothesis draws: pools, VMs and the times at the edges of the rules."""

from datetime import timedelta

from hypothesis import strategies as st

from tests.builders import NOON, a_pool
from vmpool_ext.domain.machine import NEVER, Assignment, Condition, RequestedState, VirtualMachine
from vmpool_ext.domain.permission import Grant, Permission

USERS = ("ann", "bob", "carol")
ROLES = ("student", "teacher")
POOLS = ("win11", "debian")

# Written anew from the words of the VmPool resource's documentation, not taken from the code under test.
DURATION = r"P([0-9]+Y)?([0-9]+M)?([0-9]+W)?([0-9]+D)?(T([0-9]+[Hh])?([0-9]+[Mm])?([0-9]+(\.[0-9]+)?[Ss])?)?"
TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}(:?[0-9]{2})?)"
retention_texts = st.from_regex(DURATION, fullmatch=True) | st.from_regex(TIME, fullmatch=True)

permissions = st.frozensets(st.sampled_from(Permission))
grants = st.builds(Grant, permissions, user=st.sampled_from(USERS)) | st.builds(
    Grant, permissions, role=st.sampled_from(ROLES)
)

HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)
# Around noon, an hour before it and five minutes before it, to the microsecond: where the rules change their minds.
moments = st.sampled_from(
    [
        NEVER,
        *(
            NOON - ago + tick
            for ago in (timedelta(0), timedelta(minutes=5), HOUR, 2 * HOUR)
            for tick in (-TICK, timedelta(0), TICK)
        ),
    ]
)
conditions = st.builds(Condition, st.booleans(), moments, st.sampled_from(["Test", "StartFailed", "Crashed"]))
assignments = st.none() | st.builds(Assignment, st.sampled_from([*POOLS, "gone"]), st.sampled_from(USERS), moments)

pools = st.sampled_from(POOLS).map(lambda name: a_pool(name, retention="PT1h"))


@st.composite
def vms(draw, name=None):
    return VirtualMachine(
        name=name or draw(st.sampled_from(["a", "b", "c", "d"])),
        pools=draw(st.frozensets(st.sampled_from(POOLS))),
        requested=draw(st.sampled_from(RequestedState)),
        running=draw(conditions),
        booted=draw(conditions),
        console_connected=draw(conditions),
        assignment=draw(assignments),
        logged_in_user=draw(st.none() | st.sampled_from(USERS)),
        being_deleted=draw(st.booleans()),
    )


@st.composite
def distinct_vms(draw, most=6):
    names = draw(st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=most))
    return [draw(vms(name)) for name in names]
