"""Pressing Start by program: what is waited for, what is told meanwhile, and what it may come to instead."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.builders import NOON, a_vm
from vmpool_ext.client import (
    AgentMissing,
    LoginFailed,
    NothingAssigned,
    NotRunning,
    PermissionMissing,
    PoolEmpty,
    PoolExhausted,
    StartFailed,
    WaitTimeout,
)
from vmpool_ext.domain.machine import BOOT_TIMEOUT, START_FAILED, Condition, RequestedState


def now():
    return datetime.now(UTC)  # noqa: TID251  # the server's clock is the machine's


def a_failure(reason, message):
    return Condition(since=now(), reason=reason, message=message)


async def test_start_gives_a_vm_that_runs(client, do, phases):
    """And says by which steps it came to that."""
    pool = await do(client.pool, "demo")

    vm = await do(pool.start, progress=phases)

    await phases.until("ready")
    assert (vm.state, vm.pool) == ("running", "demo")
    assert phases[0] == "assigned demo-1"
    assert (pool.vm.name, pool.free) == ("demo-1", 1)


async def test_start_waits_as_long_as_the_machine_takes(client, do, called, backend, phases):
    """It is told that it is starting, and comes back when it runs."""
    backend.may_start.clear()
    starting = called((await do(client.pool, "demo")).start, progress=phases)
    await phases.until("starting")
    assert not starting.done()

    backend.may_start.set()

    assert (await starting).state == "running"
    assert phases == ["assigned demo-1", "starting", "ready"]


async def test_where_the_pool_logs_in_start_waits_for_that_too(client, do, called, backend, phases):
    """A console that cannot be opened yet is of no use."""
    backend.may_log_in.clear()
    starting = called((await do(client.pool, "course")).start, progress=phases)
    await phases.until("logging you in")
    assert not starting.done()

    backend.may_log_in.set()

    vm = await starting
    assert (vm.logged_in_user, "console" in vm.why) == ("ann", False)


async def test_start_need_not_wait(client, do, backend):
    """The VM is assigned, and goes on by itself."""
    backend.may_start.clear()

    vm = await do((await do(client.pool, "demo")).start, wait=False)

    assert (vm.name, vm.state) == ("demo-1", "starting")
    backend.may_start.set()
    assert (await do(vm.wait)).state == "running"


async def test_a_second_start_gives_the_same_vm(client, do):
    """Cells are run again."""
    pool = await do(client.pool, "demo")

    assert (await do(pool.start)).name == (await do(pool.start)).name


async def test_a_vm_of_ones_own_is_started_alike(client, do, phases):
    """By the grant on it, without a pool."""
    vm = (await do(client.vms))["own-1"]

    assert await do(vm.start, progress=phases) is vm

    assert vm.state == "running"
    await phases.until("ready")


async def test_an_exhausted_pool_says_when_to_ask_again(client, do, backend):
    """Waiting for others is the caller's to decide."""
    for name in ("demo-1", "demo-2"):
        backend.put_vm(a_vm(name, pool="demo", user="bob", used_ago=NOON - now()))

    with pytest.raises(PoolExhausted, match='All VMs of the pool "demo" are in use') as caught:
        await do((await do(client.pool, "demo")).start)

    assert caught.value.retry_after > 0


async def test_other_refusals_have_classes_of_their_own(client, do):
    """Each can be caught alone."""
    with pytest.raises(PoolEmpty):
        await do((await do(client.pool, "void")).start)
    vm = await do((await do(client.pool, "looking")).start)
    with pytest.raises(PermissionMissing, match='"stop"'):
        await do(vm.stop)


async def test_a_failed_login_is_told_in_the_agents_words(client, do, backend):
    """In place of waiting for a console that does not open."""
    backend.words = "451 no home directory"

    with pytest.raises(LoginFailed, match="451 no home directory") as caught:
        await do((await do(client.pool, "course")).start)

    assert caught.value.code == "login-failed"
    assert (await do(client.pool, "course")).vm.fault.code == "login-failed"


async def test_a_guest_without_agent_is_told_where_the_pool_logs_in(client, do, called, backend, phases):
    """Nobody will ever be logged in to it."""
    backend.may_log_in.clear()
    starting = called((await do(client.pool, "course")).start, progress=phases)
    await phases.until("logging you in")

    silent = a_failure(BOOT_TIMEOUT, "The guest has not said that it is up for 120 seconds.")
    backend.put_vm(replace(backend.vm("course-1"), booted=silent, agent_connected=Condition()))

    with pytest.raises(AgentMissing, match="has not said that it is up for 120 seconds"):
        await starting


async def test_a_machine_that_does_not_start_is_told_in_the_backends_words(client, do, called, backend, phases):
    """And stays the user's, who may try again."""
    backend.may_start.clear()
    pool = await do(client.pool, "demo")
    starting = called(pool.start, progress=phases)
    await phases.until("starting")

    failed = a_failure(START_FAILED, "The image is not there.")
    backend.put_vm(replace(backend.vm("demo-1"), running=failed, requested=RequestedState.STOPPED))

    with pytest.raises(StartFailed, match=r"The image is not there\. It stays yours"):
        await starting
    assert (await do(pool.refresh)).vm.state == "failed"
    backend.may_start.set()
    assert (await do(pool.start)).state == "running"


async def test_who_has_waited_long_enough_is_told_how_it_is(client, do):
    """The VM stays theirs."""
    pool = await do(client.pool, "held")

    with pytest.raises(WaitTimeout, match=r'"held-1" is not ready after 0\.3 seconds: starting\. It stays yours'):
        await do(pool.start, timeout=0.3)

    assert (await do(pool.refresh)).vm.name == "held-1"


async def test_a_vm_that_is_stopped_meanwhile_is_not_waited_for(client, do, called, phases):
    """Somebody pressed Stop in the panel."""
    pool = await do(client.pool, "held")
    starting = called(pool.start, progress=phases)
    await phases.until("starting")

    await do((await do(pool.refresh)).vm.stop)

    with pytest.raises(NotRunning, match="was stopped while it was waited for"):
        await starting


async def test_a_vm_that_is_given_back_meanwhile_is_not_waited_for(client, do, called, phases):
    """Somebody pressed Give back in the panel."""
    pool = await do(client.pool, "held")
    starting = called(pool.start, progress=phases)
    await phases.until("starting")

    await do((await do(pool.refresh)).vm.release)

    with pytest.raises(NothingAssigned, match='"held-1" is not yours any more'):
        await starting


async def test_an_interrupted_start_loses_nothing(face, client, do, phases):
    """The VM stays assigned, and what interrupts says so."""
    pool = await do(client.pool, "held")
    interruption = KeyboardInterrupt if face.__name__ == "Blocking" else asyncio.CancelledError

    def interrupt(progress):
        phases(progress)
        if progress.phase == "starting":
            raise interruption

    def start():
        with pytest.raises(interruption) as caught:
            pool.start(progress=interrupt)
        return caught.value

    async def start_and_await():
        with pytest.raises(interruption) as caught:
            await pool.start(progress=interrupt)
        return caught.value

    interrupted = await do(start if face.__name__ == "Blocking" else start_and_await)

    assert 'The VM "held-1" stays yours' in "".join(interrupted.__notes__)
    await phases.until("interrupted; it stays yours")
    assert (await do(pool.refresh)).vm.name == "held-1"
