"""Any history of people, brokers, machines and mishaps: S1-S10, on memory and on the SQLite store.

Safety is told by the witness at each write and by `told` at each answer; liveness by `rest`: when nothing more happens,
everything comes to rest, and whoever asks then gets what there is.
"""

import os
import random
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.builders import a_pool, a_user
from tests.proof.drawn_loop import first
from tests.proof.steps import made
from tests.proof.witness import Press
from tests.proof.world import Memory, Store, World, plain, starts
from vmpool_ext.broker.broker import Started
from vmpool_ext.domain.errors import (
    BackendUnavailable,
    ClockJumped,
    Contention,
    NoLoginName,
    PoolExhausted,
    PoolNotFound,
)
from vmpool_ext.domain.machine import Assignment, RequestedState
from vmpool_ext.domain.permission import Grant, parse_permissions
from vmpool_ext.domain.pool import EndAction
from vmpool_ext.domain.retention import RetainForever

SOAK = "VMPOOL_SOAK" in os.environ
EXAMPLES, STEPS = (1100, 50) if SOAK else (26, 50)

NAMES = ("ann", "bob", "root", "mallory")
USERS = {name: a_user(name) for name in NAMES}
POOLS = ("win", "lab")
VMS = {"vm1": ["win"], "vm2": ["win", "lab"], "vm3": ["lab"], "vm4": ["win"]}
TICK = timedelta(microseconds=1)
# To the edges of the rules, and over them.
SPANS = [TICK, timedelta(seconds=10), *(each + tick for each in (timedelta(minutes=5), timedelta(hours=1), timedelta(hours=2))
         for tick in (-TICK, timedelta(0)))]  # fmt: skip

ALL, LOOK, NO_STOP = parse_permissions("*"), parse_permissions(["accessConsole"]), parse_permissions(["start", "reset"])
GRANTS = [
    tuple(Grant(ALL, user=name) for name in ("ann", "bob", "root")),
    (Grant(ALL, user="ann"), Grant(LOOK, user="bob")),
    (Grant(NO_STOP, user="ann"), Grant(ALL, user="bob")),
]
VM_GRANTS = {"vm4": (Grant(LOOK | parse_permissions(["start", "stop"]), user="bob"), Grant(ALL, user="mallory"))}

users = st.sampled_from([*NAMES[:2] * 3, *NAMES[2:]])
pools = st.sampled_from(POOLS)
vms = st.sampled_from(sorted(VMS))
seeds = st.integers(0, 2**16)
retentions = st.sampled_from(["PT0S", "PT1h", "PT2H"])


def order(seed):
    """Give the order that a number stands for: nought is the usual one, to which a failing history shrinks."""
    return random.Random(seed).randrange if seed else first  # noqa: S311  # to be repeated is what it is for


class History(World):
    """Looks at what people are told, in the moment when they are told it."""

    def told(self, doing):
        outcome, press = doing.told, doing.press
        if press.what != "start" or doing.disturbed:
            return
        owned = [vm for vm in self.backend.vms_now().values() if vm.is_assigned(press.pool, press.user)]
        if isinstance(outcome, Started):
            assert outcome.pool.vm.name in [vm.name for vm in owned], "S3: told that it is theirs, and it is not"
            vm = next(vm for vm in owned if vm.name == outcome.pool.vm.name)
            assert vm.requested is RequestedState.RUNNING, "S4"
        elif isinstance(outcome, PoolExhausted):
            assert not self.free(press.pool), "refused, though there was one"

    def free(self, pool):
        defined = self.backend.pools_now().get(pool)
        now = self.clock.now()
        every = self.backend.vms_now().values()
        return [vm for vm in every if defined and self.backend.witness.is_free(vm, defined, now)]


class AnyHistory(RuleBasedStateMachine):
    """What may happen."""

    ground = Memory

    @initialize(brokers=st.integers(1, 3), login=st.booleans(), action=st.sampled_from(EndAction), text=retentions)
    def begin(self, brokers, login, action, text):
        self.world = History(self.ground, brokers, NAMES)
        self.displays = []
        self.astray = False
        """Whether somebody may have two, since a broker was ended or an answer lost between a write and its reading."""
        self.world.define_pool(a_pool("win", retention="PT1h", grants=GRANTS[0]))
        self._lab(login, action, text, GRANTS[0])
        for name, of in VMS.items():
            self.world.behind(self.world.backend.define_vm(name, of, VM_GRANTS.get(name, ())))
        self.world.open()

    # What people press.

    @rule(name=users, pool=pools, at=seeds)
    def start(self, name, pool, at):
        self._press(at, *starts(USERS[name], pool))

    @rule(name=users, pool=pools, at=seeds, what=st.sampled_from(["stop", "reset", "release"]))
    def act(self, name, pool, at, what):
        self._press(at, Press(what, name, pool), lambda broker: getattr(broker, what)(USERS[name], pool))

    @rule(name=users, vm=vms, at=seeds, what=st.sampled_from(["start_vm", "stop_vm", "reset_vm"]))
    def act_on_vm(self, name, vm, at, what):
        self._press(at, Press(what, name, vm=vm), lambda broker: getattr(broker, what)(USERS[name], vm))

    @rule(name=users, pool=pools, at=seeds)
    def look(self, name, pool, at):
        self._press(
            at, Press("console", name, pool), self._looks(lambda broker: broker.open_console(USERS[name], pool), name)
        )

    @rule(name=users, vm=st.sampled_from(["vm4", "vm1"]), at=seeds)
    def look_at_vm(self, name, vm, at):
        opens = self._looks(lambda broker: broker.open_vm_console(USERS[name], vm), name)
        self._press(at, Press("console", name, vm=vm), opens)

    @precondition(lambda self: self.displays)
    @rule()
    def look_away(self):
        self.world.behind(self.displays.pop().close())

    # How it goes on.

    @rule(steps=st.integers(1, 60), seed=seeds)
    def go_on(self, steps, seed):
        self.world.go_on(steps, order(seed))

    @rule(seed=seeds)
    def quiet(self, seed):
        self.world.quiet(order(seed))

    @rule(span=st.sampled_from(SPANS))
    def time_passes(self, span):
        self.world.pass_time(seconds=span.total_seconds())

    # What happens behind the brokers' backs.

    @rule(login=st.booleans(), action=st.sampled_from(EndAction), text=retentions, grants=st.sampled_from(GRANTS))
    def change_pool(self, login, action, text, grants):
        self._lab(login, action, text, grants)

    @rule()
    def misconfigure_pool(self):
        pool = a_pool("lab", retention="PT1h", grants=GRANTS[0], misconfigured="retention")
        self.world.define_pool(replace(pool, retention=RetainForever()))

    @rule()
    def delete_pool(self):
        if "lab" in self.world.backend.pools_now():
            self.world.remove_pool("lab")

    @rule(name=vms, there=st.booleans())
    def come_or_go(self, name, there):
        known = name in self.world.backend.vms_now()
        if there and not known:
            self.world.behind(self.world.backend.define_vm(name, VMS[name], VM_GRANTS.get(name, ())))
        if known and not there:
            self.world.behind(self.world.backend.remove_vm(name))

    @rule(name=vms, user=st.sampled_from(["ann", "bob", None]), pool=pools)
    def another_writes(self, name, user, pool):
        if name in self.world.backend.vms_now():
            self.astray = True
            given = Assignment(pool, user, self.world.clock.now()) if user else None
            self.world.behind(self.world.backend.written_by_another(name, given))

    @rule(name=vms, crashes=st.booleans())
    def touch(self, name, crashes):
        vm = self.world.backend.vms_now().get(name)
        if vm and crashes and vm.running:
            self.world.behind(self.world.backend.crashed(name))
        elif vm:
            self.world.behind(self.world.backend.touched(name))

    # Mishaps.

    @rule(how=st.sampled_from(["well", "well", "refuses", "silent"]))
    def agent(self, how):
        self.world.backend.agent = how

    @rule(at=seeds, away=st.booleans())
    def line(self, at, away):
        self.world.disturb()
        self.astray = True
        self._running(at).line.away = away

    @rule(at=seeds)
    def answer_is_lost(self, at):
        self.astray = True
        self._running(at).line.loses_answers = 1

    @rule(at=seeds)
    def kill(self, at):
        self.astray = True
        self.world.kill(self._running(at))
        self.world.start_broker()

    @rule(hours=st.sampled_from([1, 9]), seed=seeds)
    def clock_jumps(self, hours, seed):
        """Ahead, and sometimes back again."""
        self.world.disturb()
        self.world.loop.run(self.world.clock.jump(hours=hours))
        self.world.quiet(order(seed))

    @rule(back=st.sampled_from([0, 0, -1, -9]))
    def clock_is_right(self, back):
        if not self.world.clock.is_trusted():
            self.world.disturb()
            self.world.quiet()
            self.world.loop.run(self.world.clock.be_believed(hours=back))
            self.world.quiet()

    # What must be so.

    @invariant()
    def counted(self):
        made[self.ground.__name__] += 1

    @rule()
    def rest(self):
        """Liveness: when everything is well again, everything comes to rest, clean and in order."""
        world = self.world
        world.backend.agent = "well"
        for running in world.running:
            running.line.away, running.line.loses_answers = False, 0
        if not world.clock.is_trusted():
            world.loop.run(world.clock.be_believed())
        world.settle()
        assert not world.doings, f"{[doing.press for doing in world.doings]} wait for what never happens"
        self._nobody_has_two()
        for vm in world.backend.vms_now().values():
            self._is_in_order(vm)
        self._everybody_sees_what_is_so()

    def _nobody_has_two(self):
        """S1; what was cut short is mended by the user's next start."""
        every = self.world.backend.vms_now().values()
        given = [(vm.assignment.pool, vm.assignment.user) for vm in every if vm.assignment]
        twice = {each for each in given if given.count(each) > 1}
        assert self.astray or not twice, "S1"
        for pool, name in twice:
            outcome = self.world.now_does(*starts(USERS[name], pool))
            assert isinstance(outcome, (Started, PoolNotFound, NoLoginName)) or outcome.code == "permission-missing"
            if isinstance(outcome, Started):
                mine = [vm for vm in self.world.backend.vms_now().values() if vm.is_assigned(pool, name)]
                assert len(mine) == 1, "S1: mended by the next start"
        self.world.settle()

    def _is_in_order(self, vm):
        world = self.world
        defined = world.backend.pools_now()
        given = vm.assignment
        assert not vm.restarting
        if given is None:
            return
        assert given.pool in defined, "S8: when a pool goes, so do its assignments"
        pool = defined[given.pool]
        runs = vm.running and vm.requested is RequestedState.RUNNING
        if not runs or not (vm.console_open or world.backend.witness.is_kept(vm, world.clock.now())):
            return
        assert world.backend.witness.inside(vm) <= {given.user}, "handed on clean"
        if pool.login_on_assignment and given.user != "root":
            assert vm.logged_in_user == given.user, "logged in where that is wanted"

    def _everybody_sees_what_is_so(self):
        world = self.world
        world.start_broker()
        world.quiet()
        fresh = world.running[-1].broker
        for running in world.running:
            for name, user in USERS.items():
                seen = running.broker.overview(user)
                assert plain(running.shown[name]) == plain(seen), "S9: the last that was shown is what is so"
                assert plain(fresh.overview(user)) == plain(seen), "S10: a new broker changes nothing"
        self._each_sees_their_own(fresh)
        world.kill(world.running[-1])

    def _each_sees_their_own(self, broker):
        """S7."""
        for name, user in USERS.items():
            every = self.world.backend.pools_now().values()
            mine = {pool.name for pool in every if any(grant.user == name and grant.may for grant in pool.grants)}
            assert {view.name for view in broker.overview(user).pools} == mine

    @rule(name=st.sampled_from(["ann", "bob"]), pool=pools)
    def ask_at_rest(self, name, pool):
        """Liveness: whoever asks when nothing else happens gets one exactly if there is one."""
        self.rest()
        world = self.world
        mine = [vm for vm in world.backend.vms_now().values() if vm.is_assigned(pool, name)]
        free = world.free(pool)
        outcome = world.now_does(*starts(USERS[name], pool))
        if isinstance(outcome, Started):
            assert mine or free
        else:
            assert not isinstance(outcome, (BackendUnavailable, ClockJumped, Contention)), repr(outcome)
            assert not (isinstance(outcome, PoolExhausted) and (mine or free)), "refused, though there was one"

    def teardown(self):
        if hasattr(self, "world"):
            try:
                self.rest()
            finally:
                self.world.close()

    # Inside.

    def _lab(self, login, action, text, grants):
        pool = a_pool("lab", retention=text, grants=grants, login_on_assignment=login, end_action=action)
        self.world.define_pool(pool)

    def _running(self, at):
        return self.world.running[at % len(self.world.running)]

    def _press(self, at, press, then):
        self.world.press(self._running(at), press, then)

    def _looks(self, opens, name):
        async def looks(broker):
            offer = await opens(broker)
            console = await broker.connect_console(USERS[name], offer.vm, offer.ticket)
            self.displays.append(console.display)

        return looks


class InStore(AnyHistory):
    ground = Store


@pytest.mark.parametrize("history", [AnyHistory, InStore])
@pytest.mark.timeout(0 if SOAK else 300)
def test_any_history_is_safe_and_comes_to_rest(history):
    health = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        history, settings=settings(max_examples=EXAMPLES, stateful_step_count=STEPS, suppress_health_check=health)
    )


def test_enough_steps_were_made():
    assert made[Memory.__name__] + made[Store.__name__] >= (100_000 if SOAK else 2_000)
