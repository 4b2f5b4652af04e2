"""A VM that goes from one user to the next holds nothing of the first (R10)."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.broker.conftest import following, until
from tests.builders import a_pool, a_user, a_vm, since
from vmpool_ext.backends.memory import MemoryBackend
from vmpool_ext.domain.duties import UsedVm
from vmpool_ext.domain.errors import AgentFailed, BackendUnavailable, BeingPrepared, NoLoginName, WaitingForLogin
from vmpool_ext.domain.machine import LOGIN_FAILED, Condition, MachineState, SessionMark
from vmpool_ext.domain.permission import Grant, parse_permissions
from vmpool_ext.domain.pool import EndAction

ANN, BOB = a_user("ann"), a_user("bob")
MINUTE = timedelta(minutes=1)
LOOKED_AT = since(status=False)
DISK_FULL = BackendUnavailable("The disk is full.")
NOT_LOGGED_OUT = AgentFailed("451 processes left")
NO_HOME = AgentFailed("451 no home directory")
WITH_AGENT = {"agent_connected": since(status=True)}


def login_pool(**more):
    return a_pool(login_on_assignment=True, **more)


def used_by_ann(**more):
    """A VM of nobody now, running, in which ann was."""
    vm = replace(a_vm("vm1", running=True), console_connected=LOOKED_AT, **WITH_AGENT)
    return replace(vm, session=SessionMark("ann", vm.running.since), **more)


async def test_opening_a_console_notes_whose_session_the_run_holds_before_the_display_is_offered(
    broker, backend, settled
):
    await broker.start(ANN, "win11")
    await settled()

    await broker.open_console(ANN, "win11")

    vm = backend.vm("vm1")
    assert vm.session == SessionMark("ann", vm.running.since)


async def test_where_the_session_cannot_be_noted_no_display_is_offered(clock):
    class Full(MemoryBackend):
        async def mark_session(self, vm, user):
            raise DISK_FULL

    backend = Full(clock, [a_pool()], [a_vm("vm1", user="ann", running=True)])
    async with following(backend, clock) as broker:
        with pytest.raises(BackendUnavailable):
            await broker.open_console(ANN, "win11")

    assert backend.vm("vm1").console_user is None


async def test_another_users_session_is_ended_by_a_restart_before_the_next_one_looks(clock):
    backend = MemoryBackend(clock, [a_pool()], [used_by_ann()])
    before = backend.vm("vm1").running.since
    async with following(backend, clock) as broker:
        started = await broker.start(BOB, "win11")

        assert (started.pool.vm.state, started.pool.why["console"].code) == ("starting", "being-prepared")
        with pytest.raises(BeingPrepared):
            await broker.open_console(BOB, "win11")
        await until(lambda: backend.vm("vm1").running.since > before)
        await until(lambda: broker.pool(BOB, "win11").vm.state == "running")
        await broker.open_console(BOB, "win11")

    assert backend.vm("vm1").session == SessionMark("bob", backend.vm("vm1").running.since)
    assert backend.vm("vm1").assignment.user == "bob"


async def test_ones_own_session_is_kept(clock):
    """The user comes back to what they left, whatever happened to the assignment in between."""
    backend = MemoryBackend(clock, [a_pool()], [used_by_ann()])
    run = backend.vm("vm1").running
    async with following(backend, clock) as broker:
        started = await broker.start(ANN, "win11")
        await broker.open_console(ANN, "win11")

    assert started.pool.vm.state == "running"
    assert backend.vm("vm1").running == run


async def test_an_administrator_looks_in_and_the_users_own_session_survives(clock):
    looks = Grant(parse_permissions(["takeConsole"]), user="carol")
    vm = a_vm("vm1", user="ann", running=True, grants=(looks,))
    backend = MemoryBackend(clock, [a_pool()], [vm])
    async with following(backend, clock) as broker:
        offer = await broker.open_vm_console(a_user("carol"), "vm1")
        console = await broker.connect_console(a_user("carol"), "vm1", offer.ticket)
        await clock.advance(minutes=1)
        await console.display.close()
        await until(lambda: broker.vms(a_user("carol"))[0].console != "open")

        await broker.open_console(ANN, "win11")

    assert backend.vm("vm1").running == vm.running
    assert backend.vm("vm1").session.user == "ann"


async def test_who_takes_a_console_disconnects_who_is_connected(clock):
    takes = Grant(parse_permissions(["takeConsole"]), user="carol")
    backend = MemoryBackend(clock, [a_pool()], [a_vm("vm1", user="ann", running=True, grants=(takes,))])
    async with following(backend, clock) as broker:
        offer = await broker.open_console(ANN, "win11")
        anns = await broker.connect_console(ANN, "vm1", offer.ticket)
        assert await anns.display.read()

        await broker.open_vm_console(a_user("carol"), "vm1")

        assert await anns.display.read() == b""


async def test_giving_back_disconnects_and_the_next_user_never_meets_the_session(clock):
    backend = MemoryBackend(clock, [a_pool()], [a_vm("vm1", user="ann", running=True)])
    async with following(backend, clock) as broker:
        offer = await broker.open_console(ANN, "win11")
        console = await broker.connect_console(ANN, "vm1", offer.ticket)
        await console.display.read()
        run = backend.vm("vm1").running

        await broker.release(ANN, "win11")
        assert await console.display.read() == b""
        await broker.start(BOB, "win11")
        await until(lambda: broker.pool(BOB, "win11").vm.state == "running")

    assert backend.vm("vm1").running.since > run.since


async def test_as_vm_operator_does_it_the_vm_is_handed_on_as_it_is(clock):
    backend = MemoryBackend(clock, [a_pool()], [used_by_ann()])
    run = backend.vm("vm1").running
    async with following(backend, clock, used_vm=UsedVm.KEEP) as broker:
        await broker.start(BOB, "win11")
        await until(lambda: broker.pool(BOB, "win11").vm.state == "running")
        await broker.open_console(BOB, "win11")

    assert backend.vm("vm1").running == run


# Where the pool logs its users in.


async def test_the_user_is_logged_in_and_only_then_sees_the_console(clock):
    backend = MemoryBackend(clock, [login_pool()], [a_vm("vm1")])
    async with following(backend, clock) as broker:
        started = await broker.start(ANN, "win11")
        assert started.pool.vm.logged_in_user is None
        await until(lambda: broker.pool(ANN, "win11").vm.logged_in_user == "ann")
        await broker.open_console(ANN, "win11")

    assert backend.vm("vm1").session.user == "ann"


async def test_a_guest_that_begins_anew_logs_the_user_in_again(clock):
    backend = MemoryBackend(clock, [login_pool()], [a_vm("vm1", user="ann", running=True, **WITH_AGENT)])
    async with following(backend, clock) as broker:
        await until(lambda: broker.pool(ANN, "win11").vm.logged_in_user == "ann")
        await broker.reset(ANN, "win11")
        await until(lambda: broker.pool(ANN, "win11").vm.logged_in_user is None)
        await until(lambda: broker.pool(ANN, "win11").vm.logged_in_user == "ann")


async def test_the_agent_ends_the_session_that_it_began_and_the_run_goes_on(clock):
    backend = MemoryBackend(clock, [login_pool()], [used_by_ann(logged_in_user="ann")])
    run = backend.vm("vm1").running
    async with following(backend, clock) as broker:
        await broker.start(BOB, "win11")
        await until(lambda: broker.pool(BOB, "win11").vm.logged_in_user == "bob")

    assert backend.vm("vm1").running == run
    assert backend.vm("vm1").session.user == "bob"


async def test_where_the_agent_does_not_log_out_the_run_ends(clock):
    class Stubborn(MemoryBackend):
        async def log_out(self, vm):
            raise NOT_LOGGED_OUT

    backend = Stubborn(
        clock, [login_pool()], [used_by_ann(assignment=a_vm(user="bob").assignment, logged_in_user="ann")]
    )
    run = backend.vm("vm1").running
    async with following(backend, clock) as broker:
        await until(lambda: broker.pool(BOB, "win11").vm.logged_in_user == "bob")

    assert backend.vm("vm1").running.since > run.since


async def test_a_session_that_the_agent_did_not_begin_ends_with_the_run(clock):
    """Somebody logged in by hand: the agent knows nothing of it."""
    backend = MemoryBackend(clock, [login_pool()], [used_by_ann(logged_in_user=None)])
    run = backend.vm("vm1").running
    async with following(backend, clock) as broker:
        await broker.start(BOB, "win11")
        await until(lambda: broker.pool(BOB, "win11").vm.logged_in_user == "bob")

    assert backend.vm("vm1").running.since > run.since


class Refusing(MemoryBackend):
    """Its agent refuses to log in as long as it is told to."""

    refuses = True
    attempts = 0

    async def log_in(self, vm, user):
        self.attempts += 1
        if not self.refuses:
            return await super().log_in(vm, user)
        told = Condition(since=self._clock.now(), reason=LOGIN_FAILED, message=str(NO_HOME))
        await self._write(vm, user_logged_in=told)
        raise NO_HOME


async def test_a_login_that_fails_is_told_in_the_agents_words_and_tried_again_every_minute(clock):
    vm = a_vm("vm1", user="ann", running=True, **WITH_AGENT)
    backend = Refusing(clock, [login_pool()], [vm])
    async with following(backend, clock) as broker:
        await clock.advance(seconds=1)
        await until(lambda: (view := broker.pool(ANN, "win11")).vm.fault and view.vm.fault.code == "login-failed")
        view = broker.pool(ANN, "win11")
        assert view.vm.fault.message == "451 no home directory"
        assert view.why["console"].code == "login-failed"

        await clock.advance(seconds=59)
        attempts = backend.attempts
        backend.refuses = False
        await clock.advance(seconds=2)
        await until(lambda: broker.pool(ANN, "win11").vm.logged_in_user == "ann")

    assert (attempts, backend.attempts) == (1, 2)


async def test_who_gives_a_vm_back_is_logged_out(clock):
    backend = MemoryBackend(clock, [login_pool()], [a_vm("vm1", user="ann", running=True, **WITH_AGENT)])
    async with following(backend, clock) as broker:
        await until(lambda: broker.pool(ANN, "win11").vm.logged_in_user == "ann")
        await broker.release(ANN, "win11")
        await until(lambda: broker.pool(BOB, "win11").free and backend.vm("vm1").warm)

    assert backend.vm("vm1").logged_in_user is None
    assert backend.vm("vm1").state is MachineState.RUNNING


@pytest.mark.parametrize("name", ["Ann", "root", "ann@example.org", "a" * 33, "9ann"])
async def test_a_pool_that_logs_in_takes_no_name_that_no_account_can_have(clock, name):
    grants = (Grant(parse_permissions(["*"]), role="all"),)
    backend = MemoryBackend(clock, [login_pool(grants=grants)], [a_vm("vm1")])
    async with following(backend, clock) as broker:
        user = a_user(name, "all")
        assert broker.pool(user, "win11").why["start"].code == "unusable-name"
        with pytest.raises(NoLoginName):
            await broker.start(user, "win11")

    assert backend.vm("vm1").assignment is None


@pytest.mark.parametrize("name", ["root", "Ann", "ann@example.org"])
async def test_whom_no_account_can_be_named_after_is_not_logged_in_when_their_pool_begins_to(clock, name):
    grants = (Grant(parse_permissions(["*"]), role="all"),)
    vm = a_vm("vm1", user=name, running=True, **WITH_AGENT)
    backend = MemoryBackend(clock, [a_pool(grants=grants)], [vm])
    async with following(backend, clock) as broker:
        backend.put_pool(login_pool(grants=grants))
        await until(lambda: "console" in broker.pool(a_user(name, "all"), "win11").why)
        await until(lambda: True)
        with pytest.raises(NoLoginName):
            await broker.open_console(a_user(name, "all"), "win11")

    assert backend.vm("vm1").logged_in_user is None


async def test_until_the_agent_is_there_the_console_waits(clock):
    backend = MemoryBackend(clock, [login_pool()], [a_vm("vm1", user="ann", running=True)])
    async with following(backend, clock) as broker:
        with pytest.raises(WaitingForLogin):
            await broker.open_console(ANN, "win11")


async def test_by_a_picture_that_may_be_stale_no_step_is_tried_again(clock):
    class Stubborn(MemoryBackend):
        attempts = 0

        async def log_out(self, vm):
            self.attempts += 1
            raise NOT_LOGGED_OUT

    backend = Stubborn(clock, [a_pool()], [used_by_ann(logged_in_user="bob")])
    async with following(backend, clock) as broker:
        await until(lambda: backend.attempts == 1)
        await clock.advance(seconds=5)
        await until(lambda: backend.attempts == 2)
        backend.disconnect_watchers()
        await until(lambda: broker.problem)
        backend.watch = _away
        for _ in range(3):
            await clock.advance(seconds=5)
            for _ in range(30):
                await asyncio.sleep(0)

    assert backend.attempts == 2


async def _away():
    message = "away"
    raise BackendUnavailable(message)
    yield


DISCARDS = a_pool(end_action=EndAction.DISCARD)


async def test_a_pool_that_begins_to_discard_throws_away_nobodys_work(clock):
    """What the user before left was handed on with the VM; by now the disk holds the work of who has it."""
    vm = replace(a_vm("vm1", running=True, user="bob"), disk_user="ann")
    backend = MemoryBackend(clock, [a_pool()], [vm])
    async with following(backend, clock) as broker:
        await broker.open_console(BOB, "win11")

        backend.put_pool(DISCARDS)
        await until(lambda: broker.pool(BOB, "win11").vm.state == "running")
        for _ in range(100):
            await asyncio.sleep(0)

    assert backend.vm("vm1").running == vm.running
    assert backend.vm("vm1").disk_user == "bob"


async def test_where_disks_are_discarded_the_next_user_runs_on_a_fresh_one_however_fast_they_are(clock):
    """Given the VM, and looking, before anybody had the time to throw away what was left."""
    backend = MemoryBackend(clock, [DISCARDS], [replace(a_vm("vm1", running=True, user="bob"), disk_user="ann")])
    run = backend.vm("vm1").running
    async with following(backend, clock) as broker:
        with pytest.raises(BeingPrepared):
            await broker.open_console(BOB, "win11")
        await until(lambda: backend.vm("vm1").running.since > run.since)
        await until(lambda: broker.pool(BOB, "win11").vm.state == "running")
        await broker.open_console(BOB, "win11")

    assert backend.vm("vm1").disk_user == "bob"
