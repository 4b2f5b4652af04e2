"""Who asks, and whom: from kubeconfigs as people have them, and from a pod's own files, on a real API server.

That an account is known is told by the API server itself. No secret is in any error, nor in the log.
"""

import base64
import json
import logging
import os
import stat

import pytest
import trustme

from tests.cluster.control_plane import ADMINISTRATOR, ControlPlane
from tests.cluster.identity_provider import ENDED, IdentityProvider
from tests.cluster.kubeconfigs import write_kubeconfig
from tests.cluster.service_accounts import add_account
from vmpool_ext.backends.kubernetes.client import ApiClient
from vmpool_ext.backends.kubernetes.credentials import Credentials
from vmpool_ext.backends.kubernetes.errors import WrongCredentials

WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
SECRET = "not-for-anybodys-eyes"  # noqa: S105  # it opens nothing
LONG_AGO, LONG_AFTER = "2000-01-01T00:00:00Z", "2999-01-01T00:00:00Z"


class Asking:
    """Asks the API server who it is that asks."""

    def __init__(self, credentials):
        self.credentials = credentials
        self._client = ApiClient(credentials, 10)

    async def who(self):
        review = {"kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1"}
        said = json.loads(await self._client.post(WHO, review))
        return said["status"]["userInfo"]["username"].rpartition(":")[2]

    async def refusal(self):
        with pytest.raises(WrongCredentials) as refused:
            await self.who()
        assert SECRET not in str(refused.value)
        return str(refused.value)

    async def close(self):
        await self._client.close()


@pytest.fixture
async def asking(caplog):
    """Give what asks with credentials; at the end nothing secret is in the log, whatever was logged."""
    caplog.set_level(logging.DEBUG)
    begun = []

    def ask(*arguments, **options):
        begun.append(Asking(Credentials(*arguments, **options)))
        return begun[-1]

    yield ask
    for each in begun:
        await each.close()
    assert SECRET not in caplog.text


async def ended_token(namespace):
    """Give a token that is not good any more: of an account that is gone."""
    token = await add_account(namespace, "gone")
    await namespace.delete("serviceaccounts", "gone")
    return token


# Contexts.


async def test_the_context_that_is_named_is_used_else_the_current_one(asking, control_plane, namespace, tmp_path):
    users = {"boss": {"token": control_plane.token}, "ann": {"token": await add_account(namespace, "ann")}}
    within = {"ann": {"namespace": "annas"}}
    file = write_kubeconfig(tmp_path / "config", control_plane, users, current="boss", contexts=within)

    current, named = asking(file), asking(file, "ann")

    assert (await current.who(), await current.credentials.namespace()) == (ADMINISTRATOR, "default")
    assert (await named.who(), await named.credentials.namespace()) == ("ann", "annas")


async def test_a_context_that_is_named_needs_no_current_one(asking, control_plane, tmp_path):
    users, within = {"boss": {"token": control_plane.token}}, {"boss": {"namespace": "vms"}}
    named = asking(write_kubeconfig(tmp_path / "config", control_plane, users, contexts=within), "boss")

    assert (await named.who(), await named.credentials.namespace()) == (ADMINISTRATOR, "vms")


async def test_a_kubeconfig_may_be_several_files_that_the_environment_names(
    asking, control_plane, tmp_path, monkeypatch
):
    users = {"boss": {"token": control_plane.token}}
    files = [
        write_kubeconfig(tmp_path / "one", control_plane, {}, current="boss"),
        write_kubeconfig(tmp_path / "two", control_plane, users, contexts={"boss": {"namespace": "vms"}}),
    ]
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(files))

    assert await asking().who() == ADMINISTRATOR
    assert await asking().credentials.namespace() == "vms"


async def test_a_token_file_may_end_its_line(asking, control_plane, tmp_path):
    (tmp_path / "token").write_text(f"{control_plane.token}\n")
    users = {"boss": {"tokenFile": "token"}}

    assert await asking(write_kubeconfig(tmp_path / "config", control_plane, users), "boss").who() == ADMINISTRATOR


# Plugins.


class Plugin:
    """A program that says what is in a file, and notes that it was run."""

    def __init__(self, folder):
        self._runs = folder / "runs"
        self._says = folder / "says"
        self._runs.touch()
        self.program = folder / "plugin"
        self.ends_with(f"cat {self._says}")

    def ends_with(self, line):
        self.program.write_text(f"#!/bin/sh\necho run >> {self._runs}\n{line}\n")
        self.program.chmod(stat.S_IRWXU)

    def gives(self, token, *, until=LONG_AFTER):
        status = {"token": token, "expirationTimestamp": until}
        said = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
        self._says.write_text(json.dumps(said))

    @property
    def runs(self):
        return len(self._runs.read_text().splitlines())

    @property
    def user(self):
        asked = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(self.program)}
        return {"exec": {**asked, "interactiveMode": "Never"}}


@pytest.fixture
def plugin(tmp_path):
    return Plugin(tmp_path)


@pytest.fixture
def plugins_kubeconfig(control_plane, plugin, tmp_path):
    return write_kubeconfig(tmp_path / "config", control_plane, {"me": plugin.user}, current="me")


async def test_a_plugin_is_run_again_when_what_it_gave_has_expired(asking, namespace, plugin, plugins_kubeconfig):
    asks = asking(plugins_kubeconfig, good_for=0)
    plugin.gives(await add_account(namespace, "ann"), until=LONG_AGO)
    assert await asks.who() == "ann"
    plugin.gives(await add_account(namespace, "bob"))

    assert await asks.who() == "bob"


async def test_a_plugin_is_not_run_again_while_what_it_gave_is_good(asking, namespace, plugin, plugins_kubeconfig):
    asks = asking(plugins_kubeconfig, good_for=0)
    plugin.gives(await add_account(namespace, "ann"))

    assert [await asks.who(), await asks.who(), await asks.who()] == ["ann"] * 3
    assert plugin.runs == 1


async def test_a_token_that_is_refused_is_asked_for_anew_once(asking, namespace, plugin, plugins_kubeconfig):
    asks = asking(plugins_kubeconfig)
    plugin.gives(await ended_token(namespace))
    await asks.credentials.access()
    plugin.gives(await add_account(namespace, "bob"))

    assert await asks.who() == "bob"
    assert plugin.runs == 2


async def test_who_stays_unknown_is_told_and_asked_for_anew_once_only(asking, plugin, plugins_kubeconfig):
    plugin.gives(SECRET)

    refusal = await asking(plugins_kubeconfig).refusal()

    assert "does not know who asks (401)" in refusal
    assert "KubernetesBackend.kubeconfig" in refusal
    assert plugin.runs == 2


@pytest.mark.parametrize("line", ["exit 3", f"echo {SECRET}"], ids=["it fails", "it says what is none"])
async def test_a_plugin_that_gives_nothing_is_named(asking, plugin, plugins_kubeconfig, line):
    plugin.ends_with(line)

    refusal = await asking(plugins_kubeconfig).refusal()

    assert 'its plugin "plugin" gives no credentials' in refusal


async def test_a_plugin_that_does_not_end_is_told_of_and_not_begun_twice(asking, plugin, plugins_kubeconfig, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    plugin.ends_with(f"cat {pipe} > {tmp_path / 'heard'}")
    asks = asking(plugins_kubeconfig, patience=0.3)

    assert "nothing has come within 0.3 seconds" in await asks.refusal()
    assert "nothing has come within 0.3 seconds" in await asks.refusal()

    pipe.write_text("end")
    assert plugin.runs == 1


# Certificates.


async def test_a_client_certificate_says_who_asks_and_is_renewed_in_place(asking, tmp_path, cluster_of_certificates):
    control_plane, authority = cluster_of_certificates
    certificate, key = tmp_path / "me.crt", tmp_path / "me.key"
    user = {"me": {"client-certificate": "me.crt", "client-key": "me.key"}}
    asks = asking(write_kubeconfig(tmp_path / "config", control_plane, user, current="me"), good_for=0)
    for name in ("ann", "bob"):
        issued = authority.issue_cert(f"{name}.example.org", common_name=name)
        certificate.write_bytes(issued.cert_chain_pems[0].bytes())
        key.write_bytes(issued.private_key_pem.bytes())

        assert await asks.who() == name


@pytest.fixture
def cluster_of_certificates(tmp_path):
    """Give a cluster that knows people by an authority's certificates, and that authority."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "people.crt"))
    control_plane = ControlPlane(client_ca_file=tmp_path / "people.crt")
    control_plane.start()
    yield control_plane, authority
    control_plane.stop()


# An identity provider.


def of_provider(provider, **told):
    config = {"client-id": "us", "client-secret": SECRET, "id-token": ENDED, "refresh-token": SECRET}
    return {"auth-provider": {"name": "oidc", "config": {**config, "idp-issuer-url": provider.url, **told}}}


@pytest.fixture
async def provider(namespace):
    """Give an identity provider, whose authority nobody trusts of themselves, and what to trust it by."""
    authority = trustme.CA()
    trust = base64.b64encode(authority.cert_pem.bytes()).decode()
    with IdentityProvider(await add_account(namespace, "ann"), SECRET).serving(authority) as provider:
        yield provider, trust


async def test_an_identity_provider_is_asked_for_a_token_that_is_good(asking, control_plane, provider, tmp_path):
    provider, trust = provider
    users = {"me": of_provider(provider, **{"idp-certificate-authority-data": trust})}
    asks = asking(write_kubeconfig(tmp_path / "config", control_plane, users, current="me"))

    assert await asks.who() == "ann"
    assert provider.taken == [SECRET]


async def test_a_refresh_token_is_used_once(asking, control_plane, namespace, provider, tmp_path):
    """Where the one after it stands is nowhere but with us."""
    provider, trust = provider
    users = {"me": of_provider(provider, **{"idp-certificate-authority-data": trust})}
    asks = asking(write_kubeconfig(tmp_path / "config", control_plane, users, current="me"))
    assert await asks.who() == "ann"
    await asks.credentials.forget(await asks.credentials.access())

    assert await asks.who() == "ann"
    assert provider.taken == [SECRET]


@pytest.mark.parametrize("told", [{}, {"idp-certificate-authority-data": ""}], ids=["none", "an empty one"])
async def test_an_identity_provider_that_nobody_vouches_for_is_told_nothing(
    asking, control_plane, provider, tmp_path, told
):
    provider, _ = provider
    users = {"me": of_provider(provider, **told)}

    refusal = await asking(write_kubeconfig(tmp_path / "config", control_plane, users, current="me")).refusal()

    assert "identity provider's certificate is not trusted" in refusal
    assert provider.asked == []


async def test_an_identity_provider_that_refuses_is_told_of(asking, control_plane, namespace, tmp_path):
    authority = trustme.CA()
    trust = {"idp-certificate-authority-data": base64.b64encode(authority.cert_pem.bytes()).decode()}
    with IdentityProvider("", "another").serving(authority) as provider:
        users = {"me": of_provider(provider, **trust)}

        refusal = await asking(write_kubeconfig(tmp_path / "config", control_plane, users, current="me")).refusal()

    assert "InvalidGrantError" in refusal


# A pod.


@pytest.fixture
async def pod(control_plane, namespace, tmp_path, monkeypatch):
    """Give the folder that a pod of the namespace would have, with the token of its account ann."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(control_plane.port))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    (tmp_path / "ca.crt").write_bytes(control_plane.certificate.read_bytes())
    (tmp_path / "namespace").write_text(namespace.name)
    (tmp_path / "token").write_text(await add_account(namespace, "ann"))
    return tmp_path


async def test_a_pod_is_its_own_account_in_its_own_namespace(asking, pod, namespace):
    asks = asking(pod=pod)

    assert asks.credentials.of_the_pod
    assert await asks.credentials.namespace() == namespace.name
    assert await asks.who() == "ann"


async def test_what_an_option_names_comes_before_the_pods_own_account(asking, pod, control_plane):
    asks = asking(control_plane.kubeconfig(), pod=pod)

    assert not asks.credentials.of_the_pod
    assert await asks.who() == ADMINISTRATOR


async def test_a_pods_token_that_is_replaced_is_read_again(asking, pod, namespace):
    asks = asking(pod=pod, good_for=0)
    assert await asks.who() == "ann"

    (pod / "token").write_text(await add_account(namespace, "bob"))

    assert await asks.who() == "bob"


async def test_a_pods_token_that_is_refused_is_read_again_at_once(asking, pod, namespace):
    asks = asking(pod=pod)
    (pod / "token").write_text(await ended_token(namespace))
    await asks.credentials.access()
    (pod / "token").write_text(await add_account(namespace, "bob"))

    assert await asks.who() == "bob"
