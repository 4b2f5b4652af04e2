"""What the cluster does not allow is told at once, with exactly what is missing; with RBAC as clusters have it."""

import asyncio
import logging

import pytest

from tests.backends.contract import watching
from tests.builders import a_user
from tests.cluster.definitions import a_pool, a_vm
from tests.cluster.fixtures import DEFINITIONS, backend_with, define_resources, started
from tests.cluster.ports import free_ports
from tests.cluster.proxy import Answered, Silence
from tests.cluster.requests import Namespace, Requests
from tests.cluster.runner import PlayedOperator
from tests.cluster.service_accounts import ROLES, add_account, may, until_allowed
from vmpool_ext.backends.kubernetes.permissions import NEEDS
from vmpool_ext.domain.errors import BackendUnavailable
from vmpool_ext.domain.machine import RequestedState

VMOP = "vmoperator.jdrupes.org"


def rules(**without):
    """Give the rules of a Role that allows all that is needed, but for these verbs on these resources."""
    kept = [(need, [verb for verb in need.verbs if verb not in without.get(name_of(need), ())]) for need in NEEDS]
    return [{"apiGroups": [need.group], "resources": [need.resource], "verbs": verbs} for need, verbs in kept if verbs]


def name_of(need):
    return need.resource.replace("/", "_")


@pytest.fixture
def allowed(serving, control_plane, namespace):
    """Give what makes a backend whose account may all that is needed, but for this."""

    async def serve(**without):
        token = await add_account(namespace, "broker")
        await may(namespace, "broker", rules(**without))
        return await serving(kubeconfig=control_plane.kubeconfig("broker", token))

    return serve


async def refusal(backend):
    with pytest.raises(BackendUnavailable) as refused:
        await anext(backend.watch())
    return refused.value.code, str(refused.value)


async def test_with_all_that_is_needed_everything_is_told_and_nothing_warned_of(allowed, caplog):
    async with watching(await allowed()) as seen:
        assert seen.vms == {}

    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(
    ("without", "words"),
    [
        ({"vmpools": ["list"]}, f"list vmpools.{VMOP}"),
        ({"vmpools": ["watch"]}, f"watch vmpools.{VMOP}"),
        ({"vmpools": ["get"]}, f"get vmpools.{VMOP}"),
        ({"vms": ["list"]}, f"list vms.{VMOP}"),
        ({"vms": ["watch"]}, f"watch vms.{VMOP}"),
        ({"vms": ["get"]}, f"get vms.{VMOP}"),
        ({"vms": ["patch"]}, f"patch vms.{VMOP}"),
        ({"vms_status": ["patch"]}, f"patch vms.{VMOP}/status"),
        ({"vms": ["patch", "get"], "vms_status": ["patch"]}, f"get, patch vms.{VMOP}; patch vms.{VMOP}/status"),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value,
)
async def test_what_nothing_goes_without_is_named_where_it_is_missing(allowed, namespace, without, words):
    code, message = await refusal(await allowed(**without))

    assert code == "cluster-forbids"
    assert f'in the namespace "{namespace.name}": {words}. Grant it' in message


async def test_who_may_nothing_is_told_all_that_is_missing(serving, control_plane, namespace):
    backend = await serving(kubeconfig=control_plane.kubeconfig("nobody", await add_account(namespace, "nobody")))

    _, message = await refusal(backend)

    assert f"get, list, watch vmpools.{VMOP}; get, list, watch, patch vms.{VMOP}; patch vms.{VMOP}/status. " in message


async def test_what_is_granted_meanwhile_is_found_by_the_next_watch(allowed, namespace):
    backend = await allowed(vms=["patch"])
    assert (await refusal(backend))[0] == "cluster-forbids"

    role = ROLES.format(namespace.name, "roles/broker")
    await namespace.requests.ask("PATCH", role, {"rules": rules()}, "application/merge-patch+json")
    await until_allowed(namespace, "broker", "patch", VMOP, "vms")

    async with watching(backend) as seen:
        assert seen.pools == {}


@pytest.mark.parametrize(
    ("without", "words"),
    [
        ({"pods": ["get"]}, "get pods"),
        ({"secrets": ["list"]}, "list secrets"),
        ({"secrets": ["patch"]}, "patch secrets"),
        ({"events": ["create"]}, "create events.events.k8s.io"),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value,
)
async def test_what_some_things_go_without_is_warned_of_once(allowed, namespace, caplog, without, words):
    backend = await allowed(**without)
    for _ in range(2):
        async with watching(backend):
            pass

    [warned] = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert f'not allowed in the namespace "{namespace.name}": {words}. Grant it' in warned


@pytest.mark.parametrize(
    ("without", "words"),
    [
        ({"pods": ["get"]}, 'cannot get resource "pods"'),
        ({"secrets": ["list"]}, 'cannot list resource "secrets"'),
        ({"secrets": ["patch"]}, 'cannot patch resource "secrets"'),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value,
)
async def test_a_console_names_what_it_cannot_do_without(allowed, namespace, without, words):
    await namespace.post("vmpools", a_pool())
    await namespace.post("vms", a_vm(port=free_ports(1)[0]))
    backend = await allowed(**without)
    async with PlayedOperator(namespace), watching(backend) as seen:
        await backend.request_state(await seen.vm("demo-1"), RequestedState.RUNNING)
        vm = await seen.vm("demo-1", lambda vm: vm.agent_there)

        with pytest.raises(BackendUnavailable) as refused:
            await backend.offer_display(vm, a_user("ann"))

    assert refused.value.code == "cluster-forbids"
    assert words in str(refused.value)


async def test_where_one_question_fails_the_others_are_given_up(serving, proxy, control_plane):
    """Else they would outlive whoever asked, and their connections the backend."""
    proxy.next("POST", "/selfsubjectaccessreviews", Answered(500), *[Silence()] * len(NEEDS))
    before = asyncio.all_tasks()
    backend = await serving(kubeconfig=control_plane.kubeconfig(server=proxy.url))

    await refusal(backend)

    ours = [task for task in asyncio.all_tasks() - before if "vmpool_ext" in task.get_coro().cr_code.co_filename]
    assert ours == []


# What is not installed.


@pytest.fixture
async def bare(own_control_plane):
    """Give an administrator's requests to a cluster without VM-Operator."""
    async with Requests(*own_control_plane.access) as requests:
        yield own_control_plane, await Namespace(requests, "vms").create()


async def test_resources_that_are_not_installed_are_named_and_found_once_they_are(bare):
    control_plane, namespace = bare
    async with started(backend_with(kubeconfig=control_plane.kubeconfig(), namespace="vms")) as backend:
        code, message = await refusal(backend)
        assert code == "resources-missing"
        assert f"The resources vmpools.{VMOP} and vms.{VMOP} are not installed" in message

        await define_resources(namespace.requests)

        async with watching(backend) as seen:
            assert seen.vms == {}
            await namespace.requests.ask("DELETE", f"{DEFINITIONS}/vmpools.{VMOP}")
            behind = await seen.until(lambda seen: seen.behind)
            assert behind.code == "resources-missing"
            assert "not installed in the cluster" in behind.message

        assert f"The resource vmpools.{VMOP} is not installed" in (await refusal(backend))[1]
