"""Judges, when all is over, what was stored and what people were told; in the rules' own words, asking none of the code under test.

Every write to a VM rests on the version before it, or is somebody's who does not look. So what a broker wrote is held to how the VM was
in that moment; to the definitions of its pools since all was quiet last, for a broker's picture of those may lag; to the clock as it was when it
decided, which the last use tells; and to what was pressed at that broker.
"""

from bisect import bisect_right
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.proof.read import read_pool, read_vm
from tests.proof.witness import Witness
from vmpool_ext.broker.broker import Started
from vmpool_ext.domain.errors import PoolExhausted, Refused, Unavailable
from vmpool_ext.domain.machine import RequestedState

CARELESS = ("driver", "meddler")
"""They write what they want, without a condition."""


@dataclass
class Pressed:
    """What somebody pressed at a broker, between which versions, and what they were told; nothing if the broker was killed."""

    broker: str
    what: str
    user: str
    pool: str
    begin: int
    moment: datetime
    round: int
    at_rest: bool = False
    told: int | None = None
    outcome: Any = None
    given: list[str] = field(default_factory=list)

    def answers_for(self, version):
        """Whether it may have written this version: what was not answered may come late."""
        ended = self.told is not None and not isinstance(self.outcome, Unavailable)
        return self.begin < version and not (ended and self.told < version)


@dataclass
class Rest:
    """Everything was quiet; and who may have two VMs of a pool, for a reason that is none of the brokers'."""

    version: int
    moment: datetime
    excused: Any


@dataclass
class Record:
    """All that is known of a history."""

    history: Any
    authors: Any
    clock: Any
    presses: list[Pressed] = field(default_factory=list)
    rests: list[Rest] = field(default_factory=list)
    entered: list[Any] = field(default_factory=list)
    lossy: bool = False
    """Whether the API server may have died with answers that nobody heard."""


class Verdict:
    """Goes through the record once, from the first version to the last."""

    def __init__(self, record):
        self._record = record
        self._witness = Witness(record.clock)
        self._vms = {}
        self._pools = {}
        self._inside = defaultdict(set)
        self._looked = defaultdict(set)
        self._lives = defaultdict(list)
        """Every version of each VM, and None where it was gone."""
        self._pool_changes = []
        self._round = 0
        self._rests = [rest.version for rest in record.rests]
        self._by = defaultdict(list)
        for press in record.presses:
            self._by[press.broker, press.user, press.pool].append(press)
        self.writes = 0

    def hold(self):
        """Raise if a promise was broken."""
        record = self._record
        happened = [(each.version, self._stored, each) for each in record.history.stored]
        happened += [(each.version, self._entered, each) for each in record.entered]
        happened += [(each.version, self._rested, each) for each in record.rests]
        happened += [(each.begin, self._asked_at_rest, each) for each in record.presses if each.at_rest]
        happened.sort(key=lambda each: each[0])
        for number, (_, look, each) in enumerate(happened):
            with self._story_of(happened[max(0, number - 30) : number + 3]):
                look(each)
        for press in record.presses:
            if press.what == "start" and press.told is not None:
                begin = bisect_right(happened, press.begin, key=lambda each: each[0])
                end = bisect_right(happened, press.told, key=lambda each: each[0])
                with self._story_of(happened[max(0, begin - 30) : end + 3]):
                    self._told(press)

    @contextmanager
    def _story_of(self, happened):
        """Tell with a broken promise what came before it, and what was pressed meanwhile."""
        try:
            yield
        except AssertionError as error:
            for version, _, each in happened:
                error.add_note(f"{version} {self._record.authors.get(version, '')} {_brief(each)}")
            for press in self._record.presses:
                if press.begin <= happened[-1][0] and (press.told or press.begin) >= happened[0][0]:
                    error.add_note(str(press))
            raise

    # What was stored.

    def _stored(self, stored):
        author = self._author(stored)
        if stored.kind == "vmpools":
            pool = read_pool(stored.object) if stored.object else None
            self._pools[stored.name] = pool
            self._pool_changes.append((stored.version, stored.name))
            self._witness.pool_is(stored.name, pool)
            return
        before = self._vms.get(stored.name)
        after = read_vm(stored.version, stored.object) if stored.object else None
        if before and after:
            self._sessions(before, after)
            if author not in CARELESS:
                self._written(author, before, after)
        self._vms[stored.name] = after
        self._lives[stored.name].append((stored.version, after))
        self.writes += 1

    def _author(self, stored):
        author = self._record.authors.get(stored.version)
        if stored.object is None:
            return "driver"
        if author is None:
            assert self._record.lossy, f"nobody says that they wrote {stored}"
            doubtful = {who for who, path in self._record.authors.in_doubt if f"/{stored.kind}/{stored.name}" in path}
            assert doubtful, f"nobody can have written {stored}"
            return next((who for who in CARELESS if who in doubtful), doubtful.pop())
        return author

    def _sessions(self, before, after):
        if after.running and before.logged_in_user != after.logged_in_user:
            inside = self._inside[after.name, after.running.since]
            inside.discard(before.logged_in_user)
            if after.logged_in_user:
                inside.add(after.logged_in_user)

    def _written(self, author, before, after):
        where = f"{after.name} at {after.version} by {author}"
        owner, heir = _owner(before), _owner(after)
        if author == "operator":
            assert owner == heir, f"the played operator writes only what it has read: {where}"
            return
        if owner != heir and heir is not None:
            self._given(author, before, after, where)
        elif owner != heir:
            self._taken(author, before, after, where)
        elif before.assignment != after.assignment:
            self._renewed(author, before, after, where)
        if before.requested != after.requested:
            self._requested(author, before, after, where)
        if before.console_user != after.console_user:
            assert owner is not None, f"a console is offered of a VM that is nobody's: {where}"
            assert owner[1] == after.console_user, f"a console is offered to whom the VM is not: {where}"
            assert self._pressed(author, "console", owner, after.version), f"nobody asked for that console: {where}"
        if before.session != after.session and after.session and after.session.run == after.running.since:
            inside = self._inside[after.name, after.running.since]
            allowed = {after.session.user} if after.session.user != "-" else set()
            assert inside <= allowed, f"R10: another's session is marked as one's own: {inside}, {where}"

    def _given(self, author, before, after, where):
        given = after.assignment
        press = self._pressed(author, "start", (given.pool, given.user), after.version)
        assert press, f"S6: nobody pressed for this: {where}"
        assert self._witness._may(given.user, given.pool), f"S6: no permission, no effect: {where}"
        assert not (before.running.status and before.console_connected.status), f"S5: somebody looks at it: {where}"
        assert given.pool in before.pools, f"it is not of the pool: {where}"
        assert not before.being_deleted, where
        if before.assignment:
            held = before.assignment
            ended = self._witness._ended(before, [held.pool, given.pool], given.last_used)
            assert ended, f"S2: no VM with two users: {held} was kept at {given}: {where}"
            assert self._record.clock.was_trusted(given.last_used), f"clock: {held} given on to {given}: {where}"
        mine = [name for name in press.given if self._is_of(name, given.pool, given.user)]
        assert not mine, f"one press takes two VMs: {mine} and {where}"
        press.given.append(after.name)

    def _taken(self, author, before, after, where):
        held = before.assignment
        owner = held.pool, held.user
        if self._pressed(author, "release", owner, after.version) or self._is_gone(held.pool):
            return
        has_two = len(self._names_of(*owner)) > 1
        assert has_two, f"S2: what is kept is not taken: {held}, {where}"
        assert self._pressed(author, "start", owner, after.version), f"S6: nobody pressed for this: {where}"

    def _renewed(self, author, before, after, where):
        follows_console = after.assignment.last_used == before.console_connected.since
        pressed = self._pressed(author, "start", _owner(before), after.version)
        assert follows_console or pressed, f"nobody used it: {where}"

    def _requested(self, author, before, after, where):
        assert _owner(before) == _owner(after), f"S5: it stays whose it is: {where}"
        owner = _owner(before)
        presses = ("start", "stop", "reset", "release")
        pressed = {what for what in presses if owner and self._pressed(author, what, owner, after.version)}
        if after.requested is RequestedState.RUNNING:
            assert before.ending_run or pressed & {"start"}, f"S6: nobody started it: {where}"
        elif after.ending_run == after.running.since:
            looked = self._looked[before.name, before.running.since]
            own = owner is not None and self._inside[before.name, before.running.since] | looked == {owner[1]}
            assert "reset" in pressed or not (own and looked), f"R10: nobody loses a session of their own: {where}"
        else:
            ended = owner is None or self._witness._ended(before, [owner[0]], self._latest())
            assert ended or pressed & {"stop", "release"}, f"what is kept is not stopped: {where}"

    # Who was let in.

    def _entered(self, entered):
        run = datetime.fromisoformat(entered.run)
        inside = self._inside[entered.vm, run]
        assert inside <= {entered.user}, f"R10: {entered} met the session of {inside}"
        inside.add(entered.user)
        self._looked[entered.vm, run].add(entered.user)

    # When all is quiet.

    def _rested(self, rest):
        self._witness.quiet({name: pool for name, pool in self._pools.items() if pool})
        self._round += 1
        given = [_owner(vm) for vm in self._vms.values() if vm and vm.assignment]
        for owner in set(given):
            assert given.count(owner) == 1 or owner in rest.excused, f"S1: {owner} has two at {rest.version}"
            assert self._pools.get(owner[0]), f"S8: {owner} at {rest.version}, of a pool that is gone"
        for vm in filter(None, self._vms.values()):
            runs = vm.running and vm.requested is RequestedState.RUNNING and vm.assignment
            if runs and self._witness.is_kept(vm, rest.moment):
                inside = self._inside[vm.name, vm.running.since]
                assert inside <= {vm.assignment.user}, f"R10: {vm.name} is not handed on clean: {inside}, {rest}"

    # What was told.

    def _told(self, press):
        """No start is lost: it is theirs, or refused with a reason, and then there was none."""
        assert isinstance(press.outcome, (Started, Refused, Unavailable)), f"told nothing that says why: {press}"
        if isinstance(press.outcome, Started):
            # What was theirs before they are told by a picture, which lags behind what somebody else did a moment ago.
            since = press.begin if press.outcome.newly else self._last_rest(press.begin)
            had = self._during(press.outcome.pool.vm.name, since, press.told)
            mine = [vm for vm in had if vm and vm.is_assigned(press.pool, press.user)]
            assert mine, f"S3: told that it is theirs, and it never was: {press}"
            assert any(vm.requested is RequestedState.RUNNING or vm.ending_run for vm in mine), f"S4: {press}"
        elif isinstance(press.outcome, PoolExhausted):
            assert not self._free_all_the_while(press), f"refused, though there was one: {press}"

    def _asked_at_rest(self, press):
        """Whoever asks when nothing else happens gets one exactly if there is one."""
        pool, vms = self._pools.get(press.pool), [vm for vm in self._vms.values() if vm]
        there_is = self._names_of(press.pool, press.user)
        there_is += [vm.name for vm in vms if pool and self._witness.is_free(vm, pool, press.moment)]
        if isinstance(press.outcome, Started):
            assert there_is, f"there was none: {press}"
        else:
            assert isinstance(press.outcome, Refused), f"nothing was in the way: {press}"
            assert not (isinstance(press.outcome, PoolExhausted) and there_is), f"refused in vain: {there_is}, {press}"

    def _free_all_the_while(self, press):
        """Give the VMs that were nobody's, and that nobody wrote to, since all was quiet last."""
        since = self._last_rest(press.begin)
        if any(since < version < press.told for version, _ in self._pool_changes):
            return []
        found = []
        for name in self._lives:
            [vm, *changes] = self._during(name, since, press.told)
            open_ = vm and vm.running.status and vm.console_connected.status
            if vm and not changes and vm.assignment is None and press.pool in vm.pools and not open_:
                found.append(name)
        return found

    # Inside.

    def _pressed(self, author, what, owner, version):
        """Give what was pressed that may have come to this, the latest first; in the same round, for nothing is left over at a rest."""
        pool, user = owner
        fitting = (each for each in reversed(self._by[author, user, pool]) if each.what == what)
        return next((each for each in fitting if each.round == self._round and each.answers_for(version)), None)

    def _latest(self):
        """Give a time that is not earlier than anybody's who goes by a clock that is right."""
        rests = self._record.rests
        return rests[self._round].moment if self._round < len(rests) else self._record.clock.right_now()

    def _last_rest(self, version):
        index = bisect_right(self._rests, version)
        return self._rests[index - 1] if index else 0

    def _is_gone(self, pool):
        return None in self._witness._definitions(pool)

    def _names_of(self, pool, user):
        return [name for name, vm in self._vms.items() if vm and vm.is_assigned(pool, user)]

    def _is_of(self, name, pool, user):
        return name in self._names_of(pool, user)

    def _at(self, name, version):
        lives = self._lives[name]
        index = bisect_right(lives, version, key=lambda each: each[0])
        return lives[index - 1][1] if index else None

    def _during(self, name, begin, end):
        """Give how the VM was at the beginning, and all that it became until the end."""
        later = [vm for version, vm in self._lives.get(name, ()) if begin < version <= end]
        return [self._at(name, begin), *later]


def _brief(each):
    """Put what happened in a line."""
    if getattr(each, "kind", "") != "vms" or each.object is None:
        return each
    vm = read_vm(each.version, each.object)
    held = (
        f"{vm.assignment.user} of {vm.assignment.pool}, used {vm.assignment.last_used}" if vm.assignment else "nobody's"
    )
    runs = f"runs since {vm.running.since}" if vm.running else "off"
    looked = f"console {vm.console_connected.status} since {vm.console_connected.since}"
    inside = (
        f"console user {vm.console_user}, logged in {vm.logged_in_user}, session {vm.session}, ending {vm.ending_run}"
    )
    return f"{vm.name}: {held}; wanted {vm.requested}, {runs}; {looked}; {inside}"


def _owner(vm):
    return (vm.assignment.pool, vm.assignment.user) if vm.assignment else None
