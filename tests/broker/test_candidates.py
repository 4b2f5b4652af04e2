"""The index of assignable VMs gives what a look at every VM would give, whatever came before."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.builders import NOON, a_pool, a_vm
from tests.strategies import HOUR, vms
from vmpool_ext.broker.candidates import Candidates
from vmpool_ext.domain.assignment import assignable_from, warm_first
from vmpool_ext.domain.retention import END_OF_TIME

WIN = a_pool("win11", retention="PT1h")
POOLS = {"win11": WIN, "debian": a_pool("debian", retention="PT2h")}


class AnyHistory(RuleBasedStateMachine):
    """VMs come, change and go; time passes, and sometimes the clock is set back."""

    def __init__(self):
        super().__init__()
        self.now = NOON - HOUR
        self.candidates = Candidates()
        self.known = {}

    @rule(vm=vms())
    def put(self, vm):
        self.known[vm.name] = vm
        self.candidates.put(vm, assignable_from(WIN, vm, POOLS))

    @rule(name=st.sampled_from(["a", "b", "c", "d", "never there"]))
    def drop(self, name):
        self.known.pop(name, None)
        self.candidates.drop(name)

    @rule(minutes=st.sampled_from([-60, -5, 1, 5, 30, 60]))
    def pass_time(self, minutes):
        self.now += timedelta(minutes=minutes)

    @invariant()
    def the_best_is_the_best_of_all_that_are_free(self):
        free = [vm for vm in self.known.values() if assignable_from(WIN, vm, POOLS) <= self.now]

        assert self.candidates.count(self.now) == len(free)
        assert self.candidates.best(self.now) == min(free, key=warm_first, default=None)
        nobodys = [vm for vm in free if vm.assignment is None]
        assert self.candidates.best_unassigned(self.now) == min(nobodys, key=warm_first, default=None)

    @invariant()
    def the_next_moment_is_when_the_next_becomes_free(self):
        later = [moment for vm in self.known.values() if (moment := assignable_from(WIN, vm, POOLS)) > self.now]

        assert self.candidates.next_moment(self.now) == min(later, default=END_OF_TIME)


TestAnyHistory = AnyHistory.TestCase


@given(st.permutations(["a", "b", "c", "d", "e"]))
def test_the_choice_does_not_hang_on_the_order_of_events(names):
    candidates = Candidates()
    for name in names:
        candidates.put(a_vm(name), NOON)

    assert candidates.best(NOON).name == "a"


def test_a_choice_among_ten_thousand_looks_at_a_few():
    """Counted, not timed: how many VMs are asked for their place."""
    candidates = Candidates()
    for n in range(10_000):
        candidates.put(a_vm(f"vm{n:05}"), NOON)
    candidates.best(NOON)
    vm = CountingVm("vm00000")

    candidates.put(vm, NOON)
    candidates.best(NOON)

    assert vm.asked <= 3


class CountingVm:
    """Tells how often it was asked."""

    asked = 0
    start_failed, warm, last_used, assignment = False, False, NOON, None

    def __init__(self, name):
        self._name = name

    @property
    def name(self):
        return self._name

    def __getattribute__(self, what):
        if what == "last_used":
            self.asked += 1
        return super().__getattribute__(what)
