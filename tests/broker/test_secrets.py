"""Nobody is shown anything of another: not in a view, and not in what reads as one (R13, P8)."""

from dataclasses import asdict, replace

from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOON, a_pool, a_user, a_vm, since
from tests.moving_clock import MovingClock
from vmpool_ext.broker.broker import PoolBroker
from vmpool_ext.broker.ports import Listed
from vmpool_ext.domain.machine import SessionMark
from vmpool_ext.domain.permission import Grant, Permission

ANOTHER = "bob-the-other"
NOT_SEEN = "hidden-pool"
permissions = st.frozensets(st.sampled_from(Permission), min_size=1)


@st.composite
def anothers_vms(draw, name):
    """A VM about which the other user stands wherever a user can stand."""
    running = draw(st.booleans())
    vm = a_vm(name, running=running, user=draw(st.sampled_from([ANOTHER, None])))
    parts = {
        "pools": frozenset({"win11", NOT_SEEN}),
        "session": SessionMark(ANOTHER, vm.running.since),
        "logged_in_user": ANOTHER,
        "login_user": ANOTHER,
        "console_user": ANOTHER,
        "console_connected": since(status=draw(st.booleans())),
        "grants": (Grant(draw(permissions), user=ANOTHER), Grant(draw(permissions), role=ANOTHER)),
    }
    chosen = draw(st.sets(st.sampled_from(sorted(parts))))
    return replace(vm, **{part: parts[part] for part in chosen})


@given(anothers_vms("vm1"), anothers_vms("vm2"), permissions, st.frozensets(st.sampled_from(Permission)))
def test_no_picture_holds_a_word_about_another(one, other, may, may_with_vm):
    """Whoever may take a console is told from whom, by `usedBy`, and by nothing else."""
    granted = (Grant(may_with_vm, user="ann"),) if may_with_vm else ()
    other = replace(other, grants=(*other.grants, *granted))
    mine = a_pool(grants=(Grant(may, user="ann"), Grant(may, user=ANOTHER)))
    picture = asdict(_broker(mine, one, other).overview(a_user("ann")))
    for view in picture["vms"]:
        told = view.pop("used_by")
        assert told is None or Permission.TAKE_CONSOLE in may_with_vm

    assert ANOTHER not in repr(picture)
    assert NOT_SEEN not in repr(picture)


def test_what_concerns_oneself_is_shown():
    vm = replace(a_vm("vm1", user="ann", running=True), logged_in_user="ann")
    picture = _broker(a_pool(), vm).overview(a_user("ann"))

    assert (picture.pools[0].vm.name, picture.pools[0].vm.logged_in_user) == ("vm1", "ann")


def test_what_is_wrong_with_pools_is_shown_to_administrators_alone():
    broken = a_pool(misconfigured="no such retention", grants=())
    warned = a_pool("debian", warning="VM-Operator cannot read it")
    broker = _broker(broken, pools=(warned,))
    administrator = replace(a_user("ann"), administrator=True)

    told = [(notice.pool, notice.severity, notice.message) for notice in broker.overview(administrator).notices]
    assert told == [
        ("debian", "warning", "VM-Operator cannot read it"),
        ("win11", "error", "no such retention"),
    ]
    assert broker.overview(a_user("ann")).notices == ()


def _broker(pool, *vms, pools=()):
    clock = MovingClock(NOON)
    broker = PoolBroker(None, clock)
    broker._inventory.take_in(Listed((pool, a_pool(NOT_SEEN, grants=()), *pools), vms, 1))
    return broker
