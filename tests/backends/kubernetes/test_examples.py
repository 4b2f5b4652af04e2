"""The example for a cluster: kubectl applies it, and its account can do what the backend does and not much else."""

import asyncio
import base64
import json
import os
import sys
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import aiohttp
import pytest
import yaml
from traitlets.config import Config

from tests.backends.contract import watching
from tests.builders import a_user
from tests.cluster.examples import EXAMPLES, overlay, said_by
from tests.cluster.fixtures import DEFINITIONS, backend_with, started
from tests.cluster.kubeconfigs import write_kubeconfig
from tests.cluster.ports import free_ports
from tests.cluster.requests import Namespace, RequestFailed, Requests
from tests.cluster.runner import PlayedOperator
from tests.cluster.service_accounts import token_of, until_allowed
from vmpool_ext.backends.kubernetes.backend import KubernetesBackend
from vmpool_ext.backends.kubernetes.permissions import NEEDS
from vmpool_ext.domain.errors import AssignmentConflict
from vmpool_ext.domain.machine import Assignment, RequestedState
from vmpool_ext.hub_service.service import NEEDED

ACCOUNT = "vmpool-server"
ANNS = Assignment("desktop", "ann", datetime(2026, 1, 15, 12, 30, tzinfo=UTC))


def test_the_role_allows_exactly_what_is_asked_for(control_plane):
    [role] = [each for each in said_by(control_plane, "rbac") if each["kind"] == "Role"]

    allowed = [
        (group, resource, tuple(rule["verbs"]))
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    ]

    assert allowed == [(need.group, need.resource, need.verbs) for need in NEEDS]


def test_there_is_no_secret_in_it(control_plane):
    for part in ("rbac", "pools", "server", "hub-service"):
        assert all(each["kind"] != "Secret" for each in said_by(control_plane, part))


def test_every_option_and_every_right_is_documented():
    documented = (EXAMPLES.parents[1] / "docs" / "kubernetes.md").read_text()

    for option in KubernetesBackend.class_own_traits(config=True):
        assert f"| `{option}` |" in documented
    for need in NEEDS:
        assert f"`{need.resource}` | {', '.join(need.verbs)} |" in documented


async def test_it_is_valid_and_applied_again_changes_nothing(control_plane, namespace, tmp_path):
    everything = overlay(tmp_path, namespace.name, "rbac", "pools", "server", "hub-service")

    control_plane.kubectl("apply", "--validate=strict", "--dry-run=server", "-k", everything)
    first = control_plane.kubectl("apply", "--validate=strict", "-k", everything).splitlines()
    second = control_plane.kubectl("apply", "--validate=strict", "-k", everything).splitlines()

    assert all(line.endswith(" created") for line in first)
    assert [line.replace(" unchanged", " created") for line in second] == first


async def test_resources_that_are_there_already_are_left_as_they_are(own_control_plane):
    """As those of VM-Operator would be."""
    control_plane, definitions = own_control_plane, str(EXAMPLES / "crds")
    async with Requests(*control_plane.access) as requests:
        control_plane.kubectl("create", "-k", definitions)
        before = await requests.ask("GET", f"{DEFINITIONS}/vms.vmoperator.jdrupes.org")
        control_plane.kubectl("wait", "--for=condition=Established", "crd/vms.vmoperator.jdrupes.org")
        control_plane.kubectl("wait", "--for=condition=Established", "crd/vmpools.vmoperator.jdrupes.org")

        control_plane.kubectl("create", "-k", definitions, check=False)

        after = await requests.ask("GET", f"{DEFINITIONS}/vms.vmoperator.jdrupes.org")
        assert (after["metadata"]["uid"], after["spec"]) == (before["metadata"]["uid"], before["spec"])
        await Namespace(requests, "vmop").create()
        control_plane.kubectl("apply", "--validate=strict", "-k", str(EXAMPLES / "pools"))
        backend = backend_with(kubeconfig=control_plane.kubeconfig(), namespace="vmop")
        async with started(backend), watching(backend) as seen:
            assert set(seen.pools) == {"desktop", "lab"}
            assert all(not pool.misconfigured for pool in seen.pools.values())
            assert set(seen.vms) == {"desktop-1", "desktop-2", "lab-1"}


def test_the_service_is_told_what_it_does_not_start_without(control_plane):
    [deployment] = [each for each in said_by(control_plane, "hub-service") if each["kind"] == "Deployment"]
    [container] = deployment["spec"]["template"]["spec"]["containers"]

    assert set(NEEDED) <= {each["name"] for each in container["env"]}


def test_only_the_hubs_proxy_talks_to_the_service(control_plane):
    told = {each["kind"]: each["spec"] for each in said_by(control_plane, "hub-service") if "spec" in each}

    pods = told["Deployment"]["template"]["metadata"]["labels"]
    assert told["NetworkPolicy"]["podSelector"]["matchLabels"] == told["Service"]["selector"] == pods
    assert told["NetworkPolicy"]["policyTypes"] == ["Ingress"]
    [rule] = told["NetworkPolicy"]["ingress"]
    assert [each["podSelector"]["matchLabels"]["component"] for each in rule["from"]] == ["proxy"]


def test_the_charts_values_are_the_configuration_that_works():
    """As the chart's hub takes them in: services by name, and code that is run with `c`."""
    values = yaml.safe_load((EXAMPLES / "hub-service" / "zero-to-jupyterhub-values.yaml").read_text())
    config = Config()

    exec(values["hub"]["extraConfig"]["vmpool"], {"c": config})  # noqa: S102  # the example's own

    [name] = values["hub"]["services"]
    access = f"access:services!service={name}"
    assert config.JupyterHub.extra_user_scopes == [access]
    assert config.Spawner.server_token_scopes == ["users:activity!user", "access:servers!server", access]
    assert values["hub"]["services"][name]["url"] == "http://vmpool-service.vmop.svc:8080"
    assert values["singleuser"]["extraEnv"]["VMPOOL_SERVICE_URL"].endswith(f"/services/{name}/")


# The account.


@pytest.fixture
async def applied(control_plane, namespace, tmp_path):
    """Give a namespace with the example in it."""
    control_plane.kubectl("apply", "-k", overlay(tmp_path, namespace.name, "rbac", "pools", "server"))
    await until_allowed(namespace, ACCOUNT, "list", "vmoperator.jdrupes.org", "vms")
    return namespace


@pytest.fixture
async def account(control_plane, applied):
    """Give what the example's account may ask itself."""
    token = await token_of(applied, ACCOUNT)
    async with Requests(control_plane.url, control_plane.certificate, token) as requests:
        yield Namespace(requests, applied.name)


async def released(backend, seen, name):
    """Take a VM back, whatever its runner writes meanwhile."""
    while True:
        try:
            return await backend.release(await seen.vm(name))
        except AssignmentConflict:
            await seen.next()


async def test_its_account_can_do_what_the_backend_does(serving, control_plane, applied, caplog):
    backend = await serving(kubeconfig=control_plane.kubeconfig("server", await token_of(applied, ACCOUNT)))
    async with PlayedOperator(applied, displays=False), watching(backend) as seen:
        assigned = await backend.assign(await seen.vm("desktop-1"), ANNS)
        await backend.request_state(assigned, RequestedState.RUNNING)
        ready = await seen.vm("desktop-1", lambda vm: vm.agent_there and vm.logged_in_user == "ann")
        marked = await backend.mark_session(ready, "ann")
        assert marked.session_user == "ann"

        offer = await backend.offer_display(marked, a_user("ann"))

        assert offer.password
        assert (offer.address.host, offer.address.port) == ("127.0.0.1", 5911)
        await backend.disconnect(marked)
        assert (await released(backend, seen, "desktop-1")).assignment is None
        assert not await backend.pool_is_gone("desktop")
    assert "not allowed" not in caplog.text


@pytest.mark.parametrize(
    "refused",
    [
        lambda account: account.delete("vms", "lab-1"),
        lambda account: account.post("vms", {"metadata": {"name": "another"}}),
        lambda account: account.merge("vmpools", "lab", {"spec": {"retention": "P1D"}}),
        lambda account: account.get("secrets", "others"),
        lambda account: account.delete("secrets", "others"),
        lambda account: account.post("secrets", {"metadata": {"name": "another"}}),
        lambda account: account.list("pods"),
        lambda account: account.delete("pods", "lab-1"),
        lambda account: account.list("configmaps"),
        lambda account: account.get("serviceaccounts", ACCOUNT),
        lambda account: token_of(account, ACCOUNT),
        lambda account: Namespace(account.requests, "default").list("vms"),
        lambda account: Namespace(account.requests, "default").list("secrets"),
    ],
    ids=[
        "delete a VM", "make a VM", "change a pool", "read a secret by its name", "delete a secret", "make a secret", "list pods",
        "delete a pod", "read configuration", "read accounts", "make tokens", "VMs of another namespace", "secrets of another namespace",
    ],
)  # fmt: skip
async def test_its_account_cannot_do_what_it_need_not(applied, account, refused):
    await applied.post("secrets", {"metadata": {"name": "others"}, "stringData": {"key": "theirs"}})

    with pytest.raises(RequestFailed) as failed:
        await refused(account)

    assert failed.value.status == 403


async def test_what_a_role_cannot_restrict_is_as_documented(applied, account):
    """A patch may change the whole definition; whoever lists secrets reads all of them."""
    await applied.post("secrets", {"metadata": {"name": "others"}, "stringData": {"key": "theirs"}})

    changed = await account.merge("vms", "lab-1", {"spec": {"vm": {"maximumCpus": 64}}})
    listed = {each["metadata"]["name"]: each["data"] for each in (await account.list("secrets"))["items"]}

    assert changed["spec"]["vm"]["maximumCpus"] == 64
    assert base64.b64decode(listed["others"]["key"]) == b"theirs"


# The server.


@asynccontextmanager
async def jupyter_server(tmp_path, kubeconfig, token):
    """Run Jupyter Server with the example's configuration; give a session with its token."""
    [port] = free_ports(1)
    options = [
        f"--config={EXAMPLES / 'server' / 'jupyter_server_config.py'}",
        f"--ServerApp.port={port}",
        "--ServerApp.ip=127.0.0.1",
        "--allow-root",
        "--ServerApp.jpserver_extensions={'vmpool_ext': True}",
    ]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "KUBECONFIG": kubeconfig, "JUPYTER_TOKEN": token}
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "jupyter_server", *options, env=environment, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(60):
            async for line in server.stderr:
                if b"pools and VMs are those of namespace" in line:
                    break
        headers = {"Authorization": f"token {token}"}
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers) as session:
            yield session
    finally:
        with suppress(ProcessLookupError):
            server.kill()
        await server.communicate()


async def test_the_server_as_configured_shows_its_pools_and_runs_nothing_else(control_plane, applied, tmp_path):
    users = {"server": {"token": await token_of(applied, ACCOUNT)}}
    of_namespace = {"server": {"namespace": applied.name}}
    kubeconfig = write_kubeconfig(tmp_path / "config", control_plane, users, current="server", contexts=of_namespace)
    async with jupyter_server(tmp_path, kubeconfig, "for-this-test-only") as session:
        async with asyncio.timeout(30), session.ws_connect("/vmpool/api/v1/updates") as updates:
            while (picture := json.loads((await updates.receive()).data)).get("problem"):
                pass
        assert {pool["name"] for pool in picture["pools"]} == {"desktop", "lab"}

        for path in ("/api/kernels", "/api/sessions", "/api/terminals", "/api/contents"):
            async with session.post(path, json={}) as answer:
                assert answer.status in (403, 404), path
