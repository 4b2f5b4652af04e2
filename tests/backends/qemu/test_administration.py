"""Applying, showing and deleting, in one transaction each and seen at once by who watches."""

import asyncio
import sqlite3

import pytest

from tests.backends.contract import watching
from tests.backends.qemu.definitions import a_pool_resource, a_vm_resource
from tests.backends.qemu.machines import VM, an_empty_vm, processes, started, until_it_has
from vmpool_ext.backends.manifests.violations import InvalidManifests
from vmpool_ext.backends.qemu.administration import to_apply, to_delete, to_get
from vmpool_ext.backends.resources import POOL_KIND, VM_KIND
from vmpool_ext.domain.errors import BackendUnavailable, InvalidDefinition, PoolNotFound, VmNotFound, VmPoolError
from vmpool_ext.domain.machine import Assignment, RequestedState

READY = a_pool_resource()


async def ask(backend, request):
    return [answer async for answer in backend.administer(request)]


async def did(backend, request):
    return [f"{answer['kind']} {answer['name']} {answer['done']}" for answer in await ask(backend, request)]


async def names(backend):
    return [each["metadata"]["name"] for each in await ask(backend, to_get())]


def deleting(*names_, ignore_missing=False, wait=True):
    return to_delete(names_, ignore_missing=ignore_missing, wait=wait)


@pytest.fixture(params=["served", "by nobody"])
async def backend(request, make_backend):
    """A backend to send requests by; the store is held by a server in half of the tests."""
    server = make_backend()
    if request.param == "served":
        await server.start()
    yield make_backend(stop_vms_on_exit=False)
    await server.stop()


async def test_what_applying_was_to_each_is_told(backend):
    assert await did(backend, to_apply([READY, an_empty_vm()])) == [
        "VmPool demo created",
        f"VirtualMachine {VM} created",
    ]
    assert await did(backend, to_apply([READY, an_empty_vm()])) == [
        "VmPool demo unchanged", f"VirtualMachine {VM} unchanged",
    ]  # fmt: skip
    assert await did(backend, to_apply([a_pool_resource(retention="P1D")])) == ["VmPool demo configured"]


async def test_what_is_shown_can_be_applied_and_changes_nothing(backend):
    await ask(backend, to_apply([READY, an_empty_vm()]))

    shown = await ask(backend, to_get())

    assert await did(backend, to_apply(shown)) == [f"VirtualMachine {VM} unchanged", "VmPool demo unchanged"]


async def test_one_that_is_not_valid_keeps_all_from_being_applied(backend):
    with pytest.raises(VmPoolError, match=r"spec\.retention"):
        await ask(backend, to_apply([an_empty_vm(), a_pool_resource(retention="P")]))

    assert await names(backend) == []


async def test_resources_are_shown_by_kind_and_name(backend):
    await ask(backend, to_apply([READY, an_empty_vm(), a_vm_resource("other")]))

    assert await names(backend) == ["other", VM, "demo"]
    assert [each["kind"] for each in await ask(backend, to_get(POOL_KIND))] == [POOL_KIND]
    assert [each["metadata"]["name"] for each in await ask(backend, to_get(VM_KIND, "other"))] == ["other"]
    with pytest.raises(VmPoolError, match='There is no VM "demo"'):
        await ask(backend, to_get(VM_KIND, "demo"))


async def test_deleting_tells_when_each_is_gone(backend):
    await ask(backend, to_apply([READY, an_empty_vm()]))

    told = await did(backend, deleting((POOL_KIND, "demo"), (VM_KIND, VM)))

    assert told == ["VmPool demo deleted", f"VirtualMachine {VM} being deleted", f"VirtualMachine {VM} deleted"]
    assert await names(backend) == []


async def test_one_that_is_not_there_keeps_all_from_being_deleted(backend):
    await ask(backend, to_apply([READY]))

    with pytest.raises(VmPoolError, match='There is no VM "x"'):
        await ask(backend, deleting((POOL_KIND, "demo"), (VM_KIND, "x")))
    assert await names(backend) == ["demo"]

    assert await did(backend, deleting((POOL_KIND, "demo"), (VM_KIND, "x"), ignore_missing=True)) == [
        "VmPool demo deleted"
    ]


@pytest.mark.parametrize(
    "request_", [{}, {"do": "dance"}, {"do": "apply"}, {"do": "apply", "resources": [1]}, {"do": "delete"}]
)
async def test_what_is_no_request_is_refused(backend, request_):
    with pytest.raises(VmPoolError, match="not a request"):
        await ask(backend, request_)


# With a server.


async def test_a_watcher_sees_at_once_what_a_command_did(serving, make_backend):
    async with serving() as server, watching(server) as seen:
        await ask(make_backend(), to_apply([READY, an_empty_vm()]))

        assert (await seen.next()).pool.name == "demo"
        assert (await seen.next()).vm.name == VM

        await ask(make_backend(), deleting((POOL_KIND, "demo")))

        assert (await seen.next()).name == "demo"


async def test_a_vm_keeps_its_user_and_runs_on_when_it_is_applied_again(serving, make_backend, clock):
    async with serving() as server, watching(server) as seen:
        await ask(make_backend(), to_apply([READY, an_empty_vm()]))
        await server.assign(await seen.vm(VM), Assignment("demo", "ann", clock.now()))
        before = await started(server, seen)

        again = {**an_empty_vm(currentCpus=1), "status": {"assignment": {"pool": "demo", "user": "eve"}}}
        assert await did(make_backend(), to_apply([again])) == [f"VirtualMachine {VM} configured"]

        after = await seen.vm(VM, lambda vm: vm.version > before.version)
        assert after.assignment == before.assignment
        assert after.requested is RequestedState.RUNNING
        assert after.running == before.running


async def test_what_was_noted_of_a_vm_is_kept_and_not_for_a_file_to_say(serving, make_backend):
    session = "vmpool-ext.jupyter.org/session"
    async with serving() as server:
        await ask(make_backend(), to_apply([an_empty_vm()]))
        await server._serving().edit(VM_KIND, VM, lambda vm: noted(vm, **{session: "ann then"}))

        for again in (an_empty_vm(), noted(an_empty_vm(), **{session: "eve now", "example.org/colour": "red"})):
            await ask(make_backend(), to_apply([again]))
            [vm] = await ask(make_backend(), to_get(VM_KIND, VM))
            assert vm["metadata"]["annotations"][session] == "ann then"

        assert vm["metadata"]["annotations"]["example.org/colour"] == "red"


def noted(vm, **annotations):
    return {**vm, "metadata": {**vm["metadata"], "annotations": annotations}}


async def test_a_vm_that_is_to_go_is_not_held_back_by_being_defined_again(serving, make_backend):
    async with serving() as server, watching(server) as seen:
        await ask(make_backend(), to_apply([an_empty_vm(powerdownTimeout=2)]))
        await started(server, seen)
        await ask(make_backend(), deleting((VM_KIND, VM), wait=False))

        await ask(make_backend(), to_apply([an_empty_vm(powerdownTimeout=0)]))

        await until_it_has(server, lambda: nothing_left(server))


async def nothing_left(backend):
    if await names(backend):
        raise BackendUnavailable(VM)


async def test_a_running_vm_is_shut_down_before_it_is_deleted(serving, make_backend, home):
    async with serving() as server, watching(server) as seen:
        await ask(make_backend(), to_apply([an_empty_vm()]))
        await started(server, seen)

        await ask(make_backend(), deleting((VM_KIND, VM)))

        assert not processes(home)


async def test_a_vm_that_an_ended_server_left_on_is_shut_down_by_the_command(serving, make_backend, home):
    async with serving(vms_live_on=True) as server, watching(server) as seen:
        await ask(make_backend(), to_apply([an_empty_vm()]))
        await started(server, seen)
    assert processes(home)

    assert await did(make_backend(), deleting((VM_KIND, VM))) == [
        f"VirtualMachine {VM} being deleted", f"VirtualMachine {VM} deleted",
    ]  # fmt: skip
    assert not processes(home)


async def test_a_command_that_holds_the_store_starts_no_vm(make_backend, home):
    await ask(make_backend(), to_apply([an_empty_vm(state="Running")]))

    await ask(make_backend(), to_get())

    assert not processes(home)


async def test_a_refusal_in_the_middle_leaves_everything_as_it_was(make_backend, home):
    """Whatever the disk says, at whichever of the writes."""
    backend = make_backend()
    await ask(backend, to_apply([a_pool_resource("kept")]))

    def refuse_the_second():
        with sqlite3.connect(home / "state" / "store.sqlite") as store:
            store.execute(
                "CREATE TRIGGER full BEFORE INSERT ON resources WHEN NEW.name = 'b' "
                "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
            )

    await asyncio.to_thread(refuse_the_second)

    with pytest.raises(BackendUnavailable, match="disk is full"):
        await ask(backend, to_apply([a_pool_resource("a"), a_pool_resource("b"), a_pool_resource("c")]))

    assert await names(backend) == ["kept"]


async def test_where_nobody_serves_errors_are_of_their_own_kinds(make_backend):
    backend = make_backend()

    for request, error in [
        (to_get(POOL_KIND, "x"), PoolNotFound),
        (to_get(VM_KIND, "x"), VmNotFound),
        (to_apply([{"kind": "Pod"}]), InvalidManifests),
        ({}, InvalidDefinition),
    ]:
        with pytest.raises(error):
            await ask(backend, request)
