"""What was decided is told in the cluster's events, by the API server's own rules for them, and hinders nobody."""

import asyncio
import logging
from datetime import UTC, datetime

import pytest

from tests.backends.kubernetes.test_permissions import rules
from tests.broker.conftest import following, until
from tests.builders import a_user
from tests.cluster.definitions import a_pool, a_vm
from tests.cluster.proxy import Answered, Silence
from tests.cluster.service_accounts import add_account, may
from vmpool_ext.backends.kubernetes import events
from vmpool_ext.broker.clock import SystemClock
from vmpool_ext.domain.decision import Decision, Outcome
from vmpool_ext.domain.errors import BackendUnavailable, PermissionMissing, PoolExhausted

ANN, BOB = a_user("ann"), a_user("bob")
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


async def told(namespace, count, name="demo-1"):
    """Wait for so many events about what has this name; give them in the order of their times."""
    async with asyncio.timeout(30):
        while len(found := await _events_about(namespace, name)) < count:  # noqa: ASYNC110  # it is another process that it waits for
            await asyncio.sleep(0.02)
    return sorted(found, key=lambda event: event["eventTime"])


async def _events_about(namespace, name):
    return (await namespace.list("events", fieldSelector=f"regarding.name={name}"))["items"]


@pytest.fixture
def tried_again_soon(monkeypatch):
    """Have the next event tried at once where one is not taken."""
    monkeypatch.setattr(events, "NOT_TAKEN_PAUSE", 0.01)


@pytest.fixture
async def one(namespace):
    """Give the namespace with one VM in its pool, which Ann and Bob may have, but not stop."""
    permissions = [{"user": name, "may": ["start", "accessConsole"]} for name in ("ann", "bob")]
    await namespace.post("vmpools", a_pool(permissions=permissions))
    await namespace.post("vms", a_vm())
    return namespace


async def test_what_is_decided_about_a_vm_is_told_with_it(serving, one, control_plane):
    async with following(await serving(), SystemClock()) as broker:
        await broker.start(ANN, "demo")
        with pytest.raises(PermissionMissing):
            await broker.stop(ANN, "demo")
        await broker.release(ANN, "demo")
        assigned, refused, released = await told(one, 3)

    assert [(each["type"], each["reason"], each["action"], each["note"]) for each in (assigned, refused, released)] == [
        ("Normal", "Assigned", "start", 'Assigned to ann from the pool "demo".'),
        ("Warning", "Refused", "stop", 'Refused to ann: stop, since the permission "stop" is not granted.'),
        ("Normal", "Released", "release", "Given back by ann."),
    ]
    vm = await one.get("vms", "demo-1")
    assert assigned["regarding"] == {
        "apiVersion": "vmoperator.jdrupes.org/v1",
        "kind": "VirtualMachine",
        "namespace": one.name,
        "name": "demo-1",
        "uid": vm["metadata"]["uid"],
    }
    assert assigned["reportingController"] == "vmpool-ext.jupyter.org/broker"
    assert assigned["reportingInstance"]
    described = control_plane.kubectl("describe", "vms.vmoperator.jdrupes.org", "demo-1", "-n", one.name)
    for event in (assigned, refused, released):
        assert event["note"] in described


async def test_that_a_pool_is_exhausted_is_told_with_the_pool(serving, one):
    async with following(await serving(), SystemClock()) as broker:
        await broker.start(ANN, "demo")
        for _ in range(3):
            with pytest.raises(PoolExhausted):
                await broker.start(BOB, "demo")
        [refused] = await told(one, 1, "demo")

    pool = await one.get("vmpools", "demo")
    assert (refused["regarding"]["kind"], refused["regarding"]["uid"]) == ("VmPool", pool["metadata"]["uid"])
    assert refused["note"].startswith("Refused to bob: start, since all VMs are in use")


@pytest.mark.usefixtures("tried_again_soon")
async def test_without_the_right_to_it_a_start_goes_on_and_the_log_says_so_once(serving, one, control_plane, caplog):
    token = await add_account(one, "broker")
    await may(one, "broker", rules(events=["create"]))
    backend = await serving(kubeconfig=control_plane.kubeconfig("broker", token))
    async with following(backend, SystemClock()) as broker:
        assert (await broker.start(ANN, "demo")).newly
        await broker.release(ANN, "demo")
        assert (await broker.start(ANN, "demo")).newly
        await until(lambda: _nothing_in_line(backend))

    warned = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert [each for each in warned if "events" in each] == warned
    assert len(warned) == 1
    assert "create events.events.k8s.io" in warned[0]


@pytest.mark.usefixtures("tried_again_soon")
async def test_a_cluster_that_has_no_such_events_is_logged_once(seen, backend, proxy, defined, caplog):
    proxy.next("POST", "/events", *[Answered(404)] * 2)

    for _ in range(3):
        backend.tell(await a_decision(seen))

    assert len(await told(defined, 1)) == 1
    warned = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert warned == ["nothing is told in the cluster's events: The API server answered 404."]


# How they are written.


async def a_decision(seen, words="Assigned.", outcome=Outcome.ASSIGNED):
    return Decision(outcome, "start", await seen.vm("demo-1"), words, NOON)


@pytest.mark.parametrize(
    "fault",
    [Answered(429, retry_after=0), Answered(503), Answered(502, after=True), Silence(after=True)],
    ids=["429", "503", "502-after", "silence-after"],
)
async def test_one_whose_answer_fails_is_written_once(seen, backend, proxy, defined, fault):
    proxy.next("POST", "/events", fault)

    backend.tell(await a_decision(seen, "first"))
    backend.tell(await a_decision(seen, "second"))

    assert sorted(event["note"] for event in await told(defined, 2)) == ["first", "second"]


async def test_one_that_is_too_long_is_cut_between_letters(seen, backend, defined):
    backend.tell(await a_decision(seen, "é" * 5000))

    [event] = await told(defined, 1)
    assert event["note"] == "é" * 512


async def test_it_waits_for_whatever_else_is_asked(seen, backend, proxy):
    proxy.next("GET", "/vmpools/demo", Silence())
    asking = asyncio.create_task(backend.pool_is_gone("demo"))
    await until(lambda: any("/vmpools/demo" in path for _, path in proxy.asked))

    backend.tell(await a_decision(seen))

    with pytest.raises(BackendUnavailable):
        await asking
    assert not _written(proxy)
    await until(lambda: _written(proxy))


async def test_of_a_line_that_is_too_long_the_oldest_are_dropped_and_the_log_says_how_many(
    seen, backend, defined, caplog, monkeypatch
):
    caplog.set_level(logging.INFO, "vmpool_ext")
    monkeypatch.setattr(events, "LONGEST_LINE", 5)
    monkeypatch.setattr(events, "PAUSE", 0.01)
    decisions = [await a_decision(seen, f"{n}") for n in range(12)]

    for decision in decisions:
        backend.tell(decision)

    assert sorted(event["note"] for event in await told(defined, 5)) == ["10", "11", "7", "8", "9"]
    await until(lambda: "7 events were not written" in caplog.text)
    assert caplog.text.count("more is decided than can be told") == 1


async def test_one_that_fails_again_and_again_is_logged_once_and_written_when_it_can_be(
    seen, backend, proxy, defined, caplog
):
    proxy.next("POST", "/events", *[Answered(500)] * (events.OFTEN + 1))

    backend.tell(await a_decision(seen))

    assert len(await told(defined, 1)) == 1
    warned = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert warned == ["an event is written later: The API server answered 500."]


async def test_no_more_than_ten_are_written_in_a_second(seen, backend, defined):
    began = asyncio.get_running_loop().time()
    for _ in range(6):
        backend.tell(await a_decision(seen))

    await told(defined, 6)

    assert asyncio.get_running_loop().time() - began >= 5 * events.PAUSE


async def test_what_stands_in_line_at_the_end_is_left(seen, backend, defined, caplog):
    caplog.set_level(logging.INFO, "vmpool_ext")
    for _ in range(3):
        backend.tell(await a_decision(seen))

    await backend.stop()
    backend.tell(await a_decision(seen))

    assert "events were not written" in caplog.text
    assert [task for task in asyncio.all_tasks() if task.get_name() == "vmpool events"] == []


async def test_the_longest_of_names_has_an_event(serving, namespace):
    name = "a" * 250 + ".b"
    await namespace.post("vmpools", a_pool())
    await namespace.post("vms", a_vm(name))
    async with following(await serving(), SystemClock()) as broker:
        await broker.start(ANN, "demo")
        assert len(await told(namespace, 1, name)) == 1


def _written(proxy):
    return any(method == "POST" and "/events" in path for method, path in proxy.asked)


def _nothing_in_line(backend):
    return not backend._serving.events._line
