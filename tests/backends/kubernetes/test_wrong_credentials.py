"""What is wrong with credentials is told where the backend begins, by the option that names them: in panel and log, without a secret."""

import asyncio
import logging

import pytest
import trustme

from tests.cluster.fixtures import backend_with, started
from tests.cluster.kubeconfigs import write_kubeconfig
from tests.cluster.ports import free_ports
from vmpool_ext.broker.clock import SystemClock
from vmpool_ext.broker.following import Following
from vmpool_ext.broker.inventory import Inventory

SECRET = "not-for-anybodys-eyes"  # noqa: S105  # it opens nothing


@pytest.fixture
def told(caplog, namespace):
    """Give what tells a backend's problem as its panel shows it, and sees that the log says the same."""

    async def tell(kubeconfig, context=""):
        caplog.set_level(logging.DEBUG)
        backend = backend_with(kubeconfig=kubeconfig, context=context, namespace=namespace.name)
        inventory = Inventory(SystemClock())
        async with started(backend), asyncio.timeout(30):
            following = asyncio.create_task(Following(backend, inventory, SystemClock()).run())
            problem = await inventory.first(lambda: None if inventory.loading else inventory.problem)
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        assert problem.message in caplog.text
        assert SECRET not in caplog.text
        return problem.code, problem.message

    return tell


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "there is no such file"),
        (f"users:\n- name: {SECRET}\n  user: {{token: {SECRET}", "line 3 is no YAML"),
        (f"- {SECRET}", "it cannot be read"),
        (f"users: {SECRET}", 'it has no "name"'),
        ("kind: Config", 'it has no "current-context"'),
        ("current-context: me", 'it has no context "me"'),
    ],
)
async def test_a_kubeconfig_that_is_none_is_told_of(told, tmp_path, text, why):
    file = tmp_path / "config"
    if text is not None:
        file.write_text(text)

    code, message = await told(str(file))

    assert code == "cluster-credentials"
    assert "KubernetesBackend.kubeconfig" in message
    assert why in message


async def test_a_context_that_there_is_not_is_told_of(told, control_plane):
    code, message = await told(control_plane.kubeconfig(), "other")

    assert code == "cluster-credentials"
    assert 'it has no context "other"' in message
    assert "KubernetesBackend.context" in message


async def test_what_an_entry_lacks_is_told_without_what_it_has(told, control_plane, tmp_path):
    """The loader quotes all of it."""
    user = {"token": SECRET, "auth-provider": {"name": "oidc", "config": {"client-secret": SECRET}}}

    code, message = await told(write_kubeconfig(tmp_path / "config", control_plane, {"me": user}, current="me"))

    assert code == "cluster-credentials"
    assert 'it has no "id-token"' in message


async def test_a_token_that_nobody_knows_is_told_of(told, control_plane):
    code, message = await told(control_plane.kubeconfig(token=SECRET))

    assert code == "cluster-credentials"
    assert "does not know who asks (401)" in message
    assert "KubernetesBackend.kubeconfig" in message


async def test_a_token_with_a_line_in_it_is_told_of(told, control_plane):
    code, message = await told(control_plane.kubeconfig(token=f"{SECRET}\r\nX-Remote-User: ann"))

    assert code == "cluster-credentials"
    assert "its token is none" in message


async def test_a_server_that_is_not_there_is_told_of(told, control_plane):
    [port] = free_ports(1)

    code, message = await told(control_plane.kubeconfig(server=f"https://127.0.0.1:{port}"))

    assert code == "backend-unavailable"
    assert "The API server of the kubeconfig (KubernetesBackend.kubeconfig) does not answer" in message


@pytest.mark.parametrize("of", ["another authority", "another host"])
async def test_a_server_whose_certificate_is_not_trusted_is_told_nothing(told, control_plane, tmp_path, of):
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.crt"))
    wrong = {"certificate-authority": "other.crt"} if of == "another authority" else {"tls-server-name": "other"}
    users = {"me": {"token": control_plane.token}}

    code, message = await told(write_kubeconfig(tmp_path / "config", control_plane, users, current="me", **wrong))

    assert code == "cluster-credentials"
    assert "The API server's certificate is not trusted by the kubeconfig (KubernetesBackend.kubeconfig)" in message


@pytest.mark.parametrize(
    "server", [f"https://me:{SECRET}@127.0.0.1:6443", "127.0.0.1:6443", "https://127.0.0.1:x", None]
)
async def test_an_address_that_is_none_is_told_of(told, control_plane, tmp_path, server):
    users = {"me": {"token": control_plane.token}}

    code, message = await told(write_kubeconfig(tmp_path / "config", control_plane, users, current="me", server=server))

    assert code == "cluster-credentials"
    assert "KubernetesBackend.kubeconfig" in message
