"""The picture through breaks, silence, restarts and broken objects.

That it is right is told by what the API server itself has; when it is not, by `Behind`.
"""

import asyncio
from datetime import timedelta

import pytest

from tests.backends.contract import ANNS, watching
from tests.cluster.definitions import a_vm
from tests.cluster.proxy import Answered, Silence
from tests.cluster.requests import GROUP
from vmpool_ext.backends.kubernetes.client import ApiClient
from vmpool_ext.backends.kubernetes.credentials import Credentials
from vmpool_ext.backends.kubernetes.objects import read_vm
from vmpool_ext.backends.kubernetes.watch import Away, Changed, Deleted, Everything, Patience, Reflector
from vmpool_ext.broker.ports import Behind, Listed, VmChanged


async def touch(namespace, name, text):
    patch = {"metadata": {"annotations": {"example.org/touched": text}}}
    return int((await namespace.merge("vms", name, patch))["metadata"]["resourceVersion"])


@pytest.mark.parametrize("in_mid_event", [False, True], ids=["between events", "in mid-event"])
async def test_a_line_that_breaks_loses_no_change_and_nobody_hears_of_it(seen, proxy, defined, in_mid_event):
    proxy.cut_streams(in_mid_event=in_mid_event)
    version = await touch(defined, "demo-2", "once")
    await seen.vm("demo-2", lambda vm: vm.version == version)

    version = await touch(defined, "demo-2", "twice")
    await seen.vm("demo-2", lambda vm: vm.version == version)

    assert not seen.was_behind
    assert seen.versions == sorted(set(seen.versions))


async def test_while_the_server_is_away_the_picture_says_so_and_then_is_whole_again(seen, proxy, defined):
    proxy.next("GET", "/vms", *[Answered(503)] * 3)
    proxy.cut_streams()
    await seen.until(lambda seen: seen.behind)
    await defined.delete("vms", "demo-3")
    version = await touch(defined, "demo-2", "meanwhile")

    event = await seen.next()
    while isinstance(event, Behind):
        event = await seen.next()

    assert isinstance(event, Listed)
    assert seen.behind is None
    assert set(seen.vms) == {"demo-1", "demo-2"}
    assert seen.vms["demo-2"].version == version


async def test_what_was_forgotten_is_read_anew(seen, backend, proxy, defined):
    """The server says 410 where it has forgotten what happened since."""
    gone = b'{"type":"ERROR","object":{"kind":"Status","code":410,"message":"too old resource version"}}\n'
    proxy.say_in_streams(gone)
    version = await touch(defined, "demo-2", "meanwhile")

    await seen.vm("demo-2", lambda vm: vm.version == version)

    assert not seen.was_behind


class Told:
    """What a reflector has told, until something is so."""

    def __init__(self, news):
        self._news = news
        self.all = []

    async def until(self, holds):
        while not (found := next((each for each in self.all if holds(each)), None)):
            self.all.append(await asyncio.wait_for(anext(self._news), 30))
        return found


@pytest.fixture
async def reflecting(control_plane, proxy, defined):
    """Give what makes reflectors of the namespace's VMs, each as patient as it is told."""
    client = ApiClient(Credentials(control_plane.kubeconfig(server=proxy.url)), 1)
    begun = []

    def reflect(**patience):
        news = Reflector(client, defined.path("vms"), read_vm, Patience(**patience)).news()
        begun.append(news)
        return Told(news)

    yield reflect
    for news in begun:
        await news.aclose()
    await client.close()


async def test_a_server_that_does_not_answer_is_noticed_though_the_line_is_open(reflecting, proxy):
    told = reflecting(quiet=0.2)
    await told.until(lambda news: isinstance(news, Everything))
    proxy.next("GET", "limit=1", *[Silence()] * 2)
    proxy.next("GET", "watch=1", *[Silence()] * 2)

    away = await told.until(lambda news: isinstance(news, Away))

    assert "does not answer" in str(away.why)


async def test_a_silent_line_is_given_up_and_taken_up_again(reflecting, proxy, defined):
    told = reflecting(quiet=0.2, silent=0.5)
    await told.until(lambda news: isinstance(news, Everything))
    proxy.hold_streams()

    version = await touch(defined, "demo-1", "unheard")

    changed = await told.until(lambda news: isinstance(news, Changed) and version_of(news) == version)
    assert changed.object.name == "demo-1"


async def test_a_server_that_was_set_back_and_tells_nothing_is_found_out_by_reading_everything(reflecting, defined):
    told = reflecting(resync=0.5, stream=1)
    await told.until(lambda news: isinstance(news, Everything))

    again = [each async for each in _first(told, lambda news: isinstance(news, Everything), 2)]

    assert len(again) == 2


async def _first(told, holds, count):
    while len([each for each in told.all if holds(each)]) < count:
        told.all.append(await asyncio.wait_for(anext(told._news), 30))
    for each in told.all:
        if holds(each):
            yield each


async def test_a_server_that_cannot_stream_lists_is_read_page_by_page(reflecting, proxy, defined):
    proxy.next("GET", "sendInitialEvents", Answered(422))
    told = reflecting()

    everything = await told.until(lambda news: isinstance(news, Everything))

    assert {each.name for each in everything.objects} == {"demo-1", "demo-2", "demo-3"}
    await defined.delete("vms", "demo-3")
    gone = await told.until(lambda news: isinstance(news, Deleted))
    assert gone.name == "demo-3"
    assert gone.version > everything.version


BROKEN = {
    "no-status": {},
    "half-an-assignment": {"status": {"assignment": {"user": "ann"}}},
    "no-such-pool": {"status": {"assignment": {"pool": "void", "user": "ann", "lastUsed": "2026-01-15T12:30:00Z"}}},
    "no-time": {"status": {"assignment": {"pool": "demo", "user": "ann", "lastUsed": "yesterday"}}},
    "odd-conditions": {
        "status": {
            "conditions": [
                {
                    "type": "Odd",
                    "status": "True",
                    "reason": "",
                    "message": "",
                    "lastTransitionTime": "2026-01-15T12:30:00Z",
                },
                {"type": "Running", "status": "True", "reason": "", "message": "", "lastTransitionTime": "noon"},
            ]
        }
    },
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_vm_does_not_stop_the_watch(seen, backend, defined, name):
    await defined.post("vms", a_vm(name))
    if BROKEN[name]:
        await defined.merge("vms", name, BROKEN[name], "status")

    version = await touch(defined, "demo-1", name)

    await seen.vm("demo-1", lambda vm: vm.version == version)
    assert name in seen.vms
    async with watching(backend) as later:
        assert name in later.vms


async def test_a_pool_without_a_spec_does_not_stop_the_watch(seen, defined):
    await defined.post("vmpools", {"apiVersion": GROUP, "kind": "VmPool", "metadata": {"name": "bare"}})
    version = await touch(defined, "demo-1", "after")

    await seen.vm("demo-1", lambda vm: vm.version == version)
    await seen.until(lambda seen: "bare" in seen.pools)


async def test_a_changed_pool_is_told_with_its_retention(seen, defined):
    await defined.merge("vmpools", "demo", {"spec": {"retention": "PT4h"}})

    await seen.until(lambda seen: seen.pools["demo"].retention_text == "PT4h")
    assert seen.pools["demo"].retention.until(ANNS.last_used) == ANNS.last_used + timedelta(hours=4)


async def test_of_two_changes_that_come_at_once_both_are_told_in_their_order(seen, defined):
    one, two = await asyncio.gather(touch(defined, "demo-1", "a"), touch(defined, "demo-2", "b"))

    events = [await seen.next(), await seen.next()]

    assert [event.vm.version for event in events if isinstance(event, VmChanged)] == sorted([one, two])


def version_of(news):
    return news.object.version
