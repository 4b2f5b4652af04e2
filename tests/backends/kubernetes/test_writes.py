"""Conditional writes through everything that an API server and what stands before it may answer.

What was written is asked of the API server itself. Statuses: 409, 422, 429, 500, 503, none; before and after the write.
"""

import pytest

from tests.backends.contract import ANNS, BOBS
from tests.builders import a_user
from tests.cluster.proxy import Answered, Silence
from vmpool_ext.backends.resources import SESSION
from vmpool_ext.domain.errors import AssignmentConflict, BackendUnavailable
from vmpool_ext.domain.machine import RequestedState


async def assigned_to(namespace, name):
    return (await namespace.get("vms", name))["status"]["assignment"].get("user")


@pytest.mark.parametrize(
    "fault",
    [
        Answered(429, retry_after=0),
        Answered(500),
        Answered(503, retry_after=0),
        Answered(502, after=True),
        Answered(500, after=True),
        Silence(),
        Silence(after=True),
    ],
    ids=["429", "500", "503", "502-after", "500-after", "silence", "silence-after"],
)
async def test_a_write_whose_answer_fails_once_is_written_once(seen, backend, proxy, defined, fault):
    vm = await seen.vm("demo-1")
    proxy.next("PATCH", "/status", fault)

    written = await backend.assign(vm, ANNS)

    assert written.assignment == ANNS
    assert await assigned_to(defined, "demo-1") == "ann"
    told = await seen.vm("demo-1", lambda vm: vm.assignment)
    assert told.version == written.version


async def test_a_write_that_somebody_else_was_faster_with_is_not_taken_for_ours(seen, backend, proxy, defined):
    vm = await seen.vm("demo-1")
    proxy.next("PATCH", "/status", Silence())
    bobs = {"pool": "demo", "user": "bob", "lastUsed": "2026-01-15T12:30:00.250Z"}
    await defined.merge("vms", "demo-1", {"status": {"assignment": bobs}}, "status")

    with pytest.raises(AssignmentConflict):
        await backend.assign(vm, ANNS)

    assert await assigned_to(defined, "demo-1") == "bob"


async def test_a_write_that_is_never_answered_is_an_error_that_says_so(seen, backend, proxy, defined):
    vm = await seen.vm("demo-1")
    proxy.next("PATCH", "/status", *[Answered(500)] * 50)

    with pytest.raises(BackendUnavailable, match="500"):
        await backend.assign(vm, ANNS)

    assert await assigned_to(defined, "demo-1") is None


async def test_a_server_that_wants_to_be_left_alone_is_asked_again_no_sooner(seen, backend, proxy, defined):
    vm = await seen.vm("demo-1")
    proxy.next("PATCH", "/status", Answered(429, retry_after=1))

    await backend.assign(vm, ANNS)

    assert [path.partition("?")[0] for method, path in proxy.asked if method == "PATCH"].count(
        f"{defined.path('vms')}/demo-1/status"
    ) == 2


async def test_what_the_schema_forbids_is_not_asked_twice(seen, backend, proxy, defined):
    vm = await seen.vm("demo-1")
    proxy.next("PATCH", "/status", Answered(422))

    with pytest.raises(BackendUnavailable):
        await backend.assign(vm, ANNS)

    assert len([path for method, path in proxy.asked if method == "PATCH"]) == 1


async def test_a_vm_that_is_gone_is_a_conflict(seen, backend, defined):
    vm = await seen.vm("demo-1")
    await defined.delete("vms", "demo-1")

    with pytest.raises(AssignmentConflict):
        await backend.assign(vm, ANNS)


async def test_the_last_use_is_written_as_java_reads_it(seen, backend, defined):
    await backend.assign(await seen.vm("demo-1"), ANNS)

    assignment = (await defined.get("vms", "demo-1"))["status"]["assignment"]
    assert assignment == {"pool": "demo", "user": "ann", "lastUsed": "2026-01-15T12:30:00.250000Z"}


async def test_a_write_leaves_everything_else_as_it_was(seen, backend, defined):
    note = {"metadata": {"annotations": {"example.org/note": "kept"}}}
    await defined.merge("vms", "demo-1", note)
    before = await defined.get("vms", "demo-1")
    vm = await seen.vm("demo-1", lambda vm: vm.version == int(before["metadata"]["resourceVersion"]))

    await backend.request_state(await backend.assign(vm, BOBS), RequestedState.RUNNING)

    after = await defined.get("vms", "demo-1")
    assert after["metadata"]["annotations"] == {"example.org/note": "kept"}
    before["spec"]["vm"]["state"] = "Running"
    assert after["spec"] == before["spec"]
    del before["status"]["assignment"], after["status"]["assignment"]
    assert after["status"] == before["status"]


def running_since(time):
    return {"type": "Running", "status": "True", "reason": "VmStarted", "message": "", "lastTransitionTime": time}


RUNS = running_since("2026-01-15T12:00:00Z")
AT_ANNS = {
    "runnerVersion": "4.0.1",
    "consoleUser": "ann",
    "assignment": {"pool": "demo", "user": "ann", "lastUsed": "2026-01-15T12:30:00.250Z"},
    "conditions": [RUNS],
}


@pytest.mark.parametrize(
    "change",
    [
        {"assignment": {"pool": "demo", "user": "bob", "lastUsed": "2026-01-15T14:30:00Z"}},
        {"conditions": [running_since("2026-01-15T14:30:00Z")]},
    ],
    ids=["another user", "another run"],
)
async def test_what_is_so_anyway_is_not_taken_for_ours_once_the_vm_has_changed(seen, backend, proxy, defined, change):
    """The console user stays written when the VM is given on: who asks for a console meanwhile is let into nobody else's."""
    await defined.merge("vms", "demo-1", {"status": AT_ANNS}, "status")
    vm = await seen.vm("demo-1", lambda vm: vm.running)
    proxy.next("PATCH", "/status", Answered(500))
    await defined.merge("vms", "demo-1", {"status": change}, "status")

    with pytest.raises(AssignmentConflict):
        await backend.offer_display(vm, a_user("ann"))


async def test_a_mark_in_doubt_is_not_taken_for_ours_once_the_vm_is_somebody_elses(seen, backend, proxy, defined):
    await defined.merge("vms", "demo-1", {"status": AT_ANNS}, "status")
    vm = await seen.vm("demo-1", lambda vm: vm.running)
    proxy.next("PATCH", "/vms/", Answered(500))
    note = {"metadata": {"annotations": {SESSION: "ann 2026-01-15T12:00:00Z"}}}
    await defined.merge("vms", "demo-1", note)
    bobs = {"pool": "demo", "user": "bob", "lastUsed": "2026-01-15T14:30:00Z"}
    await defined.merge("vms", "demo-1", {"status": {"assignment": bobs}}, "status")

    with pytest.raises(AssignmentConflict):
        await backend.mark_session(vm, "ann")
