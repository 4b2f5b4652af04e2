"""What every backend must do, whatever its VMs are made of.

A backend's test subclasses `BackendContract` and gives the fixture `backend`: started, with a pool `demo` that logs its
users in and two stopped VMs `demo-1` and `demo-2` in it, neither ever assigned; `look`, which views a display with an offer
until the VM's console counts as connected; and `greeting`, what is said to a display first and what it says then. What has
a reset button for its VMs keeps `ResetButtonContract` too.
"""

import asyncio
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime

import pytest

from tests.builders import a_user
from vmpool_ext.broker.ports import Behind, Listed, PoolChanged, PoolDeleted, VmChanged, VmDeleted
from vmpool_ext.domain.decision import Decision, Outcome
from vmpool_ext.domain.errors import AssignmentConflict, BackendUnavailable
from vmpool_ext.domain.machine import Assignment, MachineState, RequestedState

PATIENCE = 120
"""Seconds; a guest without hardware acceleration on a busy machine takes its time."""

ANNS = Assignment("demo", "ann", datetime(2026, 1, 15, 12, 30, 0, 250000, tzinfo=UTC))
BOBS = Assignment("demo", "bob", datetime(2026, 1, 15, 12, 31, tzinfo=UTC))


class Watching:
    """The picture of a backend as its events draw it."""

    def __init__(self, events):
        self._events = events
        self.vms = {}
        self.pools = {}
        self.versions = []
        self.behind = None
        self.was_behind = False

    async def next(self):
        event = await asyncio.wait_for(anext(self._events), PATIENCE)
        if isinstance(event, Listed):
            self.pools = {pool.name: pool for pool in event.pools}
            self.vms = {vm.name: vm for vm in event.vms}
            self.versions.append(event.version)
            self.behind = None
        elif isinstance(event, VmChanged):
            self.vms[event.vm.name] = event.vm
            self.versions.append(event.vm.version)
        elif isinstance(event, Behind):
            self.behind = event
            self.was_behind = True
        elif isinstance(event, VmDeleted):
            del self.vms[event.name]
        elif isinstance(event, PoolChanged):
            self.pools[event.pool.name] = event.pool
        elif isinstance(event, PoolDeleted):
            del self.pools[event.name]
        return event

    async def until(self, holds):
        """Go on until the picture is as wanted; give the VM that it is about."""
        while not (found := holds(self)):
            await self.next()
        return found

    async def vm(self, name, holds=lambda _: True):
        return await self.until(lambda seen: name in seen.vms and holds(seen.vms[name]) and seen.vms[name])

    async def done(self, name, act):
        """Act on the VM as it is now: whatever runs it may write to it at any moment, and then it is looked at again."""
        while True:
            vm = await self.vm(name)
            try:
                return await act(vm)
            except AssignmentConflict:
                await self.next()


@asynccontextmanager
async def watching(backend):
    async with aclosing(backend.watch()) as events:
        seen = Watching(events)
        await seen.next()
        yield seen


@asynccontextmanager
async def running(backend, name="demo-1"):
    """Give the VM running and booted, with the watcher; switch it off afterwards."""
    async with watching(backend) as seen:
        await backend.request_state(await seen.vm(name), RequestedState.RUNNING)
        yield await seen.vm(name, lambda vm: vm.booted), seen
        await _switch_off(backend, seen, name)


async def _switch_off(backend, seen, name):
    await seen.done(name, lambda vm: backend.request_state(vm, RequestedState.STOPPED))
    await seen.vm(name, lambda vm: vm.state in (MachineState.STOPPED, MachineState.FAILED))


class BackendContract:
    """Each test is one promise of the port."""

    async def test_a_watch_begins_with_everything(self, backend):
        async with watching(backend) as seen:
            assert set(seen.pools) == {"demo"}
            assert set(seen.vms) == {"demo-1", "demo-2"}
            assert all(vm.pools == {"demo"} and vm.assignment is None for vm in seen.vms.values())

    async def test_an_assignment_is_written_whole_and_told_to_every_watcher(self, backend):
        async with watching(backend) as one, watching(backend) as two:
            vm = await one.vm("demo-1")

            written = await backend.assign(vm, ANNS)

            assert written.assignment == ANNS
            assert written.version > vm.version
            for seen in (one, two):
                told = await seen.vm("demo-1", lambda vm: vm.assignment)
                assert (told.assignment, told.version) == (ANNS, written.version)

    async def test_a_later_watch_finds_what_was_written(self, backend):
        async with watching(backend) as seen:
            written = await backend.assign(await seen.vm("demo-1"), ANNS)

        async with watching(backend) as later:
            assert later.vms["demo-1"] == written
            assert later.versions[0] >= written.version

    async def test_of_two_who_read_the_same_only_one_writes(self, backend):
        async with watching(backend) as seen:
            vm = await seen.vm("demo-1")

            outcomes = await asyncio.gather(backend.assign(vm, ANNS), backend.assign(vm, BOBS), return_exceptions=True)

            conflicts = [outcome for outcome in outcomes if isinstance(outcome, AssignmentConflict)]
            written = [outcome for outcome in outcomes if outcome not in conflicts]
            assert len(conflicts) == len(written) == 1
            assert (await seen.vm("demo-1", lambda vm: vm.assignment)).assignment == written[0].assignment

    @pytest.mark.parametrize(
        ("write", "arguments"),
        [
            ("assign", [BOBS]),
            ("release", []),
            ("request_state", [RequestedState.RUNNING]),
            ("reset", []),
            ("restart", []),
            ("mark_session", ["bob"]),
            ("log_in", ["bob"]),
            ("log_out", []),
            ("discard", []),
            ("offer_display", [a_user("bob")]),
        ],
    )
    async def test_nothing_is_written_to_a_vm_that_changed(self, backend, write, arguments):
        async with watching(backend) as seen:
            read = await seen.vm("demo-1")
            written = await backend.assign(read, ANNS)

            with pytest.raises(AssignmentConflict):
                await getattr(backend, write)(read, *arguments)

        async with watching(backend) as later:
            assert later.vms["demo-1"] == written

    async def test_a_released_vm_has_no_part_of_the_assignment_left(self, backend):
        async with watching(backend) as seen:
            mine = await backend.assign(await seen.vm("demo-1"), ANNS)

            released = await backend.release(mine)

            assert released.assignment is None
            assert released.version > mine.version
            await seen.vm("demo-1", lambda vm: vm.version == released.version)

    async def test_versions_grow_across_vms(self, backend):
        async with watching(backend) as seen:
            one = await backend.assign(await seen.vm("demo-1"), ANNS)
            two = await backend.assign(await seen.vm("demo-2"), BOBS)
            await seen.vm("demo-2", lambda vm: vm.assignment)

            assert two.version > one.version
            assert seen.versions == sorted(set(seen.versions))

    async def test_a_vm_that_is_wanted_to_run_comes_up_and_goes_down_again(self, backend):
        async with watching(backend) as seen:
            off = await seen.vm("demo-1")

            requested = await backend.request_state(off, RequestedState.RUNNING)

            assert requested.requested is RequestedState.RUNNING
            up = await seen.vm("demo-1", lambda vm: vm.booted)
            assert up.state is MachineState.RUNNING
            assert up.running.since > off.running.since

            await backend.request_state(up, RequestedState.STOPPED)

            down = await seen.vm("demo-1", lambda vm: not vm.running)
            assert down.state is MachineState.STOPPED
            assert not down.booted
            assert down.running.since >= up.running.since

    async def test_a_reset_vm_boots_again(self, backend):
        async with running(backend) as (_, seen):
            await seen.done("demo-1", backend.reset)

            await seen.vm("demo-1", lambda vm: not vm.booted)
            again = await seen.vm("demo-1", lambda vm: vm.booted)
            assert again.state is MachineState.RUNNING

    async def test_a_restarted_vm_begins_another_run_which_holds_nobodys_session(self, backend):
        async with running(backend) as (vm, seen):
            marked = await seen.done("demo-1", lambda vm: backend.mark_session(vm, "ann"))
            assert marked.session_user == "ann"

            ending = await seen.done("demo-1", backend.restart)

            assert ending.state is MachineState.STARTING
            assert ending.requested is RequestedState.RUNNING
            await seen.vm("demo-1", lambda vm: not vm.running)
            again = await seen.vm("demo-1", lambda vm: vm.booted)
            assert again.state is MachineState.RUNNING
            assert again.running.since > vm.running.since
            assert again.session_user is None
            assert again.untouched

    async def test_a_guest_logs_in_and_out_and_forgets_who_it_was_when_it_is_reset(self, backend):
        async with running(backend) as (_, seen):
            await seen.done("demo-1", lambda vm: backend.assign(vm, ANNS))
            logged_in = await seen.done("demo-1", lambda vm: backend.log_in(vm, "ann"))
            assert logged_in.logged_in_user == "ann"
            told = await seen.vm("demo-1", lambda vm: vm.logged_in_user)
            assert told.user_logged_in

            await seen.done("demo-1", backend.release)
            logged_out = await seen.done("demo-1", backend.log_out)
            assert logged_out.logged_in_user is None
            told = await seen.vm("demo-1", lambda vm: vm.version >= logged_out.version)
            assert not told.user_logged_in

            await seen.done("demo-1", lambda vm: backend.assign(vm, BOBS))
            await seen.done("demo-1", lambda vm: backend.log_in(vm, "bob"))
            await seen.done("demo-1", backend.reset)
            assert (await seen.vm("demo-1", lambda vm: not vm.booted)).logged_in_user is None
            await seen.vm("demo-1", lambda vm: vm.booted)

    async def test_disconnecting_ends_every_connection_to_the_display(self, backend, look):
        async with running(backend) as (vm, seen):
            offer = await seen.done("demo-1", lambda vm: backend.offer_display(vm, a_user("ann")))
            display = await backend.connect_display(vm)
            await look(display, offer)
            open_ = await seen.vm("demo-1", lambda vm: vm.console_open)

            await backend.disconnect(open_)

            async with asyncio.timeout(PATIENCE):
                while await display.read():
                    pass
            await seen.vm("demo-1", lambda vm: not vm.console_open)

    async def test_nobody_is_disconnected_from_a_vm_that_is_off(self, backend):
        async with watching(backend) as seen:
            await backend.disconnect(await seen.vm("demo-1"))

    async def test_what_was_discarded_is_not_there_any_more(self, backend):
        async with watching(backend) as seen:
            discarded = await backend.discard(await seen.vm("demo-1"))

            assert not discarded.disk_used

    async def test_a_pool_is_gone_when_there_is_none(self, backend):
        assert not await backend.pool_is_gone("demo")
        assert await backend.pool_is_gone("void")

    async def test_whatever_is_told_nobody_waits_and_nothing_else_changes(self, backend):
        async with watching(backend) as seen:
            before = await seen.vm("demo-1")
            for about in (before, seen.pools["demo"]):
                for outcome in Outcome:
                    assert backend.tell(Decision(outcome, "start", about, "é" * 5000, ANNS.last_used)) is None

        async with watching(backend) as later:
            assert later.vms["demo-1"] == before

    async def test_an_assignment_survives_starting_and_stopping(self, backend):
        async with watching(backend) as seen:
            mine = await backend.assign(await seen.vm("demo-1"), ANNS)
            await backend.request_state(mine, RequestedState.RUNNING)
            await seen.vm("demo-1", lambda vm: vm.booted)
            await _switch_off(backend, seen, "demo-1")

            assert (await seen.vm("demo-1")).assignment == ANNS

    async def test_a_console_counts_while_somebody_looks(self, backend, look):
        async with running(backend) as (vm, seen):
            assert not vm.console_connected
            offer = await seen.done("demo-1", lambda vm: backend.offer_display(vm, a_user("ann")))
            asked = await seen.vm("demo-1", lambda vm: vm.console_user == "ann")
            display = await backend.connect_display(asked)

            await look(display, offer)

            open_ = await seen.vm("demo-1", lambda vm: vm.console_open)
            assert open_.console_connected.since >= vm.running.since
            await display.close()
            await display.close()
            closed = await seen.vm("demo-1", lambda vm: not vm.console_connected)
            assert closed.console_connected.since >= open_.console_connected.since

    async def test_a_display_greets(self, backend, greeting):
        said, answer = greeting
        async with running(backend) as (vm, _):
            display = await backend.connect_display(vm)
            await display.write(said)

            assert (await asyncio.wait_for(display.read(), PATIENCE)).startswith(answer)
            await display.close()

    @pytest.mark.parametrize(
        ("act", "arguments"),
        [
            ("reset", []),
            ("restart", []),
            ("mark_session", ["ann"]),
            ("offer_display", [a_user("ann")]),
            ("connect_display", []),
        ],
    )
    async def test_a_vm_that_is_off_has_no_display_and_cannot_be_reset(self, backend, act, arguments):
        async with watching(backend) as seen:
            off = await seen.vm("demo-1")

            with pytest.raises(BackendUnavailable):
                await getattr(backend, act)(off, *arguments)


class ResetButtonContract:
    """For machines that have a reset button within our reach."""

    async def test_a_reset_vm_never_stops_running(self, backend):
        async with running(backend) as (vm, seen):
            await seen.done("demo-1", backend.reset)

            await seen.vm("demo-1", lambda vm: not vm.booted)
            again = await seen.vm("demo-1", lambda vm: vm.booted)
            assert again.running == vm.running
