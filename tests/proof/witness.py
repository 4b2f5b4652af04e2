"""Who was let into which run of a VM in truth, and whether each write was within the rules, in the rules' own words.

Nothing here asks the code under test. What the broker decided, it decided by a picture that may lag: so a write may rest on
any definition of a pool, and any time, since everything was last quiet.
"""

from collections import defaultdict
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta

from vmpool_ext.domain.errors import AgentFailed, BackendUnavailable
from vmpool_ext.domain.machine import RequestedState
from vmpool_ext.domain.pool import EndAction

HOLD = timedelta(minutes=5)
PERIODS = {"PT0S": timedelta(0), "PT1h": timedelta(hours=1), "PT2H": timedelta(hours=2)}


@dataclass(frozen=True)
class Press:
    """What somebody pressed; everything that comes of it is theirs to answer for."""

    what: str
    user: str
    pool: str = ""
    vm: str = ""


KEEPER = Press("keep", "")
pressed: ContextVar[Press] = ContextVar("pressed", default=KEEPER)


class Witness:
    """Sees every write at the moment when it took effect."""

    def __init__(self, clock):
        self._clock = clock
        self._inside = defaultdict(set)
        self._pools = defaultdict(list)
        self._vms = defaultdict(list)
        self._latest = clock.now()
        self._trusted = True
        self.writes = []

    # What a write may rest on.

    def quiet(self, pools):
        """Nothing older than this is known to anybody any more."""
        self._pools = defaultdict(list, {name: [pool] for name, pool in pools.items()})
        self._latest = self._clock.now()
        self._trusted = self._clock.is_trusted()

    def pool_is(self, name, pool):
        """Note a definition of the pool; None is its deletion."""
        self._pools[name].append(pool)

    def time_is(self):
        self._latest = max(self._latest, self._clock.now())
        self._trusted = self._trusted or self._clock.is_trusted()

    def inside(self, vm):
        """Tell whose sessions the run of the VM holds."""
        return self._inside[vm.name, vm.running.since] if vm.running else set()

    # What was written.

    def assigned(self, before, given):
        by = self._noted("assign", before)
        assert by.what == "start"
        assert (given.pool, given.user) == (by.pool, by.user), "S6: for oneself, from the pool that was asked"
        assert self._may(by.user, by.pool), "S6: no permission, no effect"
        if not before.is_assigned(given.pool, given.user):
            assert not (before.running.status and before.console_connected.status), "S5: nobody looks at it"
            assert self._was_free(before, given.pool), "S2: it was theirs, or free"

    def released(self, before):
        by = self._noted("release", before)
        given = before.assignment
        if by is not KEEPER:
            assert by.what in ("start", "release")
            assert (given.pool, given.user) == (by.pool, by.user), "S6: one gives back only what is one's own"
        elif None not in self._definitions(given.pool):
            assert not before.running, "S8: only of a deleted pool, or where the disk is to be discarded"
            assert any(pool.end_action is EndAction.DISCARD for pool in self._definitions(given.pool))
            assert self._ended(before, [given.pool]), "S2: what is kept is not taken"

    def requested(self, before, state, after):
        by = self._noted("request", before)
        assert after.assignment == before.assignment, "S5: it stays whose it is"
        given = before.assignment
        mine = given is not None and (given.pool, given.user) == (by.pool, by.user)
        if by is KEEPER:
            assert state is RequestedState.STOPPED
            assert given is None or self._ended(before, [given.pool]), "what is kept is not stopped"
        elif by.what in ("stop", "stop_vm"):
            assert "stop" in (self._may(by.user, by.pool) if mine else self._may_with(before, by.user)), "S6"
        elif by.what == "start_vm":
            assert "start" in self._may_with(before, by.user), "S6"
        else:
            assert mine, "S6"
            assert by.what in ("start", "release")

    def reset(self, before):
        by = self._noted("reset", before)
        mine = before.assignment is not None and before.assignment.user == by.user
        assert "reset" in (self._may(by.user, by.pool) if mine and by.pool else self._may_with(before, by.user)), "S6"

    def restarted(self, before):
        assert self._noted("restart", before) is KEEPER
        assert before.assignment is not None
        assert self.inside(before) != {before.assignment.user}, "nobody loses a session of their own"

    def marked(self, before, user):
        self._noted("mark", before)
        assert self.inside(before) <= {user}, "another's session is not marked as one's own"

    def logged_in(self, before, user):
        assert self._noted("log in", before) is KEEPER
        assert self.inside(before) <= {user}, "nobody is logged in beside another's session"
        assert user != "root"
        self.inside(before).add(user)

    def logged_out(self, before):
        self._noted("log out", before)
        self.inside(before).discard(before.logged_in_user)

    def looked(self, vm, may_take):
        """Somebody is connected to the display: by whatever way, they meet nobody's session but their own."""
        by = pressed.get()
        if may_take:
            return
        if by.vm and vm.assignment is None:
            # By a grant on a VM that is nobody's those who have one share it.
            return
        assert self.inside(vm) <= {by.user}, f"nobody meets another's session: {self.inside(vm)}"
        self.inside(vm).add(by.user)

    # The rules, in words of their own.

    def is_free(self, vm, pool, now):
        """R2, for the definitions as they are."""
        if pool.misconfigured or pool.name not in vm.pools or vm.being_deleted:
            return False
        if vm.running.status and vm.console_connected.status:
            return False
        return vm.assignment is None or self._ended(vm, [vm.assignment.pool, pool.name], now)

    def is_kept(self, vm, now):
        """Whether its pool's promise still holds."""
        return not self._ended(vm, [vm.assignment.pool], now)

    def may_take(self, vm, user):
        return "takeConsole" in self._may_with(vm, user)

    def _noted(self, what, vm):
        by = pressed.get()
        self.writes.append((by, what, vm.name))
        return by

    def _definitions(self, pool):
        return self._pools.get(pool) or [None]

    def _may(self, user, pool):
        granted = [grant for each in self._definitions(pool) if each for grant in each.grants if grant.user == user]
        return set().union(*(grant.may for grant in granted))

    def _may_with(self, vm, user):
        return set().union(*(grant.may for grant in vm.grants if grant.user == user))

    def _was_free(self, vm, pool):
        if pool not in vm.pools or all(each is None or each.misconfigured for each in self._definitions(pool)):
            return False
        return vm.assignment is None or (self._trusted and self._ended(vm, [vm.assignment.pool, pool]))

    def _ended(self, vm, pools, now=None):
        """Whether by some definition of each of the pools the promise has ended."""
        now = now or self._latest
        promised = [[_period(each) for each in self._definitions(pool)] for pool in pools]
        if any(all(period is None for period in each) for each in promised):
            return False
        longest = max(min(period for period in each if period is not None) for each in promised)
        used = max(vm.assignment.last_used, vm.console_connected.since)
        held = vm.assignment.last_used + HOLD if vm.console_connected.since <= vm.assignment.last_used else used
        return now >= max(used + longest, held)


def _period(pool):
    return None if pool is None or pool.misconfigured else PERIODS[pool.retention_text]


class Witnessed:
    """A ground whose every write is seen, and whose agent may be told to fail; before a ground in a class's bases."""

    agent = "well"

    def __init__(self, clock, *args):
        self.witness = Witness(clock)
        self._doors = {}
        super().__init__(clock, *args)

    async def assign(self, vm, assignment):
        written = await super().assign(vm, assignment)
        self.witness.assigned(vm, assignment)
        return written

    async def release(self, vm):
        written = await super().release(vm)
        self.witness.released(vm)
        return written

    async def request_state(self, vm, state):
        written = await super().request_state(vm, state)
        self.witness.requested(vm, state, written)
        return written

    async def reset(self, vm):
        await super().reset(vm)
        self.witness.reset(vm)

    async def restart(self, vm):
        written = await super().restart(vm)
        self.witness.restarted(vm)
        return written

    async def mark_session(self, vm, user):
        written = await super().mark_session(vm, user)
        self.witness.marked(vm, user)
        return written

    async def log_in(self, vm, user):
        if self.agent != "well":
            await self.not_logged_in(vm)
            self._fail()
        written = await super().log_in(vm, user)
        self.witness.logged_in(vm, user)
        return written

    async def log_out(self, vm):
        if self.agent != "well":
            self._fail()
        written = await super().log_out(vm)
        self.witness.logged_out(vm)
        return written

    async def offer_display(self, vm, user):
        offer = await super().offer_display(vm, user)
        self._doors[vm.name, vm.running.since] = user.name
        return offer

    async def disconnect(self, vm):
        for door in [door for door in self._doors if door[0] == vm.name]:
            del self._doors[door]
        await super().disconnect(vm)

    async def connect_display(self, vm):
        """A display asks for the password that was given out last, and takes it once."""
        now = self.vms_now()[vm.name]
        by = pressed.get()
        if self._doors.pop((now.name, now.running.since), None) != by.user:
            message = "The password is not good."
            raise BackendUnavailable(message)
        display = await super().connect_display(vm)
        self.witness.looked(now, self.witness.may_take(now, by.user))
        return display

    def _fail(self):
        message = {"refuses": "451 no", "silent": "The agent did not answer."}[self.agent]
        raise AgentFailed(message)
