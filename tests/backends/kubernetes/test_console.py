"""Consoles of VM-Operator's VMs: passwords, addresses, proxies, and what is refused with which words.

The played runner takes passwords over as a real one does; what stands in the Secret is asked of the API server.
"""

import asyncio
import base64
import time
from contextlib import asynccontextmanager

import pytest

from tests.backends.contract import ANNS, watching
from tests.builders import a_user
from tests.cluster.definitions import a_pool, a_vm
from tests.cluster.ports import free_ports
from tests.cluster.runner import GREETING, PlayedOperator
from vmpool_ext.domain.errors import AssignmentConflict, BackendUnavailable
from vmpool_ext.domain.machine import RequestedState

ANN = a_user("ann")
LABELS = {
    "app.kubernetes.io/name": "vm-runner",
    "app.kubernetes.io/component": "display-secret",
    "app.kubernetes.io/instance": "vm1",
}


@pytest.fixture
async def operator(namespace):
    await namespace.post("vmpools", a_pool("demo"))
    async with PlayedOperator(namespace) as operator:
        yield operator


@pytest.fixture
def up(namespace, serving, operator):
    """Give what defines a VM, has it run, and gives it with the backend."""

    @asynccontextmanager
    async def up(pools=("demo",), **spice):
        [port] = free_ports(1)
        await namespace.post("vms", a_vm("vm1", pools=pools, port=port, spice=spice))
        backend = await serving(serial_timeout=20)
        async with watching(backend) as seen:
            await backend.request_state(await seen.vm("vm1"), RequestedState.RUNNING)
            version = await settled(namespace, has_password=spice.get("generateSecret", True))
            ready = await seen.vm("vm1", lambda vm: vm.version >= version)
            yield backend, ready, seen

    return up


async def settled(namespace, *, has_password):
    """Wait until the VM is up and its display has been told the password that there is; give the version of that."""
    async with namespace.watch("vms", fieldSelector="metadata.name=vm1") as events:
        async for event in events:
            status = event["object"].get("status", {})
            up = {each["type"] for each in status.get("conditions", ()) if each["status"] == "True"}
            if "VmopAgentConnected" in up and (status["displayPasswordSerial"] or not has_password):
                return int(event["object"]["metadata"]["resourceVersion"])
    raise AssertionError


async def serial_of(namespace):
    return (await namespace.get("vms", "vm1"))["status"]["displayPasswordSerial"]


async def secret_of(namespace, name="vm1-display-secret"):
    data = (await namespace.get("secrets", name))["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


async def make_secret(namespace, name="by-hand", **data):
    data = {key.replace("_", "-"): value for key, value in data.items()}
    await namespace.post("secrets", {"metadata": {"name": name, "labels": LABELS}, "stringData": data})


async def test_a_console_gets_a_new_password_that_ends_soon_and_the_runner_has_it(up, namespace):
    async with up() as (backend, vm, _):
        before, serial = await secret_of(namespace), await serial_of(namespace)

        offer = await backend.offer_display(vm, ANN)

        after = await secret_of(namespace)
        assert offer.engine == "spice"
        assert offer.password == after["display-password"] != before["display-password"]
        assert len(base64.b64decode(offer.password)) == 16
        assert 5 < int(after["password-expiry"]) - time.time() <= 10  # noqa: TID251  # VM-Operator counts so
        assert await serial_of(namespace) == serial + 1
        assert (await namespace.get("vms", "vm1"))["status"]["consoleUser"] == "ann"


async def test_no_two_consoles_have_the_same_password(up):
    async with up() as (backend, vm, seen):
        one = await backend.offer_display(vm, ANN)
        told = await seen.vm("vm1", lambda vm: vm.console_user == "ann")
        latest = await backend.mark_session(await latest_of(backend, told), "ann")

        two = await backend.offer_display(latest, ANN)

        assert one.password != two.password


async def latest_of(backend, vm):
    async with watching(backend) as seen:
        return seen.vms[vm.name]


async def test_a_runner_that_does_not_say_so_is_not_waited_for_for_ever(up, serving, operator):
    async with up() as (_, vm, _):
        operator.tells_displays = False
        hasty = await serving(serial_timeout=0.2)

        offer = await hasty.offer_display(vm, ANN)

        assert offer.password


async def test_a_password_that_was_put_there_by_a_clock_ahead_is_ours_all_the_same(up, namespace):
    async with up() as (backend, vm, _):
        offer = await backend.offer_display(vm, ANN)
        ahead = base64.b64encode(str(int(time.time()) + 3600).encode()).decode()  # noqa: TID251  # VM-Operator counts so
        marked = {"vmpool-ext.jupyter.org/password-expiry": base64.b64decode(ahead).decode()}
        patch = {"metadata": {"annotations": marked}, "data": {"password-expiry": ahead}}
        await namespace.merge("secrets", "vm1-display-secret", patch)

        await backend.disconnect(vm)

        assert (await secret_of(namespace))["display-password"] != offer.password


async def test_a_password_that_does_not_end_is_not_told_to_users_of_a_pool(up, namespace):
    await make_secret(namespace, display_password="fixed", password_expiry="never")
    async with up() as (backend, vm, _):
        with pytest.raises(BackendUnavailable, match="does not expire") as refused:
            await backend.offer_display(vm, ANN)

        assert refused.value.code == "display-password-fixed"
        assert "fixed" not in str(refused.value)
        assert (await secret_of(namespace, "by-hand"))["display-password"] == "fixed"


async def test_a_password_that_does_not_end_is_told_to_whom_the_vm_itself_is_granted(up, namespace):
    await make_secret(namespace, display_password="fixed")
    async with up(pools=()) as (backend, vm, _):
        offer = await backend.offer_display(vm, ANN)

        assert offer.password == "fixed"


async def test_a_secret_is_found_by_its_labels_whatever_its_name(up, namespace):
    await make_secret(namespace, "any-name", display_password="old", password_expiry="+30")
    async with up() as (backend, vm, _):
        offer = await backend.offer_display(vm, ANN)

        assert offer.password == (await secret_of(namespace, "any-name"))["display-password"] != "old"


async def test_a_display_without_a_password_is_reached_through_the_relay_only(up):
    async with up(generateSecret=False) as (backend, vm, _):
        offer = await backend.offer_display(vm, ANN)

        assert (offer.password, offer.address) == ("", None)
        assert not vm.opens_in_viewers


async def test_a_secret_that_a_running_display_does_not_know_opens_no_way_around_the_relay(up, namespace):
    async with up(generateSecret=False) as (backend, vm, _):
        await make_secret(namespace, "late", display_password="old", password_expiry="now")

        offer = await backend.offer_display(vm, ANN)

        assert offer.address is None


async def test_to_who_has_a_grant_on_the_vm_itself_a_display_without_a_password_is_told(up):
    async with up(pools=(), generateSecret=False) as (backend, vm, _):
        assert vm.opens_in_viewers

        assert (await backend.offer_display(vm, ANN)).address


async def test_who_is_disconnected_has_a_password_that_opens_nothing_any_more(up, namespace, operator):
    async with up() as (backend, vm, seen):
        offer = await backend.offer_display(vm, ANN)
        display = await backend.connect_display(vm)
        await display.write(GREETING)
        assert await asyncio.wait_for(display.read(), 10) == GREETING
        looked_at = await seen.vm("vm1", lambda vm: vm.console_open)

        await backend.disconnect(looked_at)

        assert await asyncio.wait_for(display.read(), 10) == b""
        after = await secret_of(namespace)
        assert after["password-expiry"] == "now"
        assert after["display-password"] != offer.password
        await seen.vm("vm1", lambda vm: not vm.console_open)
        assert operator.connected("vm1") == 0


def handed_over(_):
    return {"assignment": {"pool": "demo", "user": "bob", "lastUsed": "2026-01-15T13:00:00Z"}}


def in_another_run(status):
    return {"conditions": [{**each, "lastTransitionTime": "2026-01-15T13:00:00Z"} for each in status["conditions"]]}


@pytest.mark.parametrize("changed", [handed_over, in_another_run])
async def test_a_vm_that_changes_while_the_password_is_made_leaves_none_that_is_good(up, namespace, operator, changed):
    async with up() as (backend, vm, seen):
        mine = await backend.assign(vm, ANNS)
        operator.tells_displays = False
        asking = asyncio.create_task(backend.offer_display(mine, ANN))
        await seen.vm("vm1", lambda vm: vm.console_user == "ann")
        status = (await namespace.get("vms", "vm1"))["status"]
        await namespace.merge("vms", "vm1", {"status": changed(status)}, "status")
        operator.tells_displays = True
        await namespace.merge("vms", "vm1", {"metadata": {"annotations": {"example.org/touched": "yes"}}})

        with pytest.raises(AssignmentConflict):
            await asking

        assert (await secret_of(namespace))["password-expiry"] == "now"


async def test_the_server_that_the_definition_names_is_told_as_an_address(up):
    async with up(server="localhost") as (backend, vm, _):
        offer = await backend.offer_display(vm, ANN)

        assert offer.address.host in ("127.0.0.1", "::1")


async def test_a_server_without_an_address_is_an_error_that_names_the_field(up):
    async with up(server="nowhere.invalid") as (backend, vm, _):
        with pytest.raises(BackendUnavailable, match=r"spec\.vm\.display\.spice\.server") as refused:
            await backend.offer_display(vm, ANN)

        assert refused.value.code == "display-unreachable"


async def test_a_vm_whose_pod_has_no_address_says_so(up, namespace):
    async with up() as (backend, vm, _):
        await namespace.delete("pods", "vm1", gracePeriodSeconds=0)

        with pytest.raises(BackendUnavailable, match="no address yet"):
            await backend.offer_display(vm, ANN)


@pytest.mark.parametrize(("preferred", "host"), [("ipv4", "192.0.2.7"), ("ipv6", "2001:db8::7")])
async def test_of_several_addresses_of_a_pod_that_of_the_preferred_version_is_told(
    up, namespace, serving, preferred, host
):
    async with up() as (_, vm, _):
        addresses = [{"ip": "2001:0db8:0:0:0:0:0:7"}, {"ip": "192.0.2.7"}]
        await namespace.merge("pods", "vm1", {"status": {"podIPs": addresses, "podIP": addresses[0]["ip"]}}, "status")
        backend = await serving(preferred_ip_version=preferred)

        offer = await backend.offer_display(vm, ANN)

        assert offer.address.host == host


@asynccontextmanager
async def a_proxy(answer):
    """Play a proxy that connects whoever asks as squid does, or answers something else; give its address and what it was asked."""
    asked = []

    async def serve(reader, writer):
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        if b" 200 " in answer:
            host, _, port = asked[0].split()[1].decode().rpartition(":")
            far_reader, far = await asyncio.open_connection(host, int(port))
            await asyncio.gather(_carry(reader, far), _carry(far_reader, writer))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


async def _carry(reader, writer):
    while said := await reader.read(4096):
        writer.write(said)
    writer.close()


async def test_a_display_behind_a_proxy_is_connected_to_through_it(up):
    async with (
        a_proxy(b"HTTP/1.1 200 Connection established\r\n\r\n") as (url, asked),
        up(proxyUrl=url) as (backend, vm, _),
    ):
        offer = await backend.offer_display(vm, ANN)
        assert offer.address.proxy == url

        display = await backend.connect_display(vm)
        await display.write(GREETING)

        assert await asyncio.wait_for(display.read(), 10) == GREETING
        assert asked[0].startswith(f"CONNECT 127.0.0.1:{offer.address.port} HTTP/1.1\r\n".encode())
        await display.close()


async def test_a_proxy_that_refuses_is_an_error(up):
    async with a_proxy(b"HTTP/1.1 403 Forbidden\r\n\r\n") as (url, _), up(proxyUrl=url) as (backend, vm, _):
        with pytest.raises(BackendUnavailable, match="does not take a connection"):
            await backend.connect_display(vm)
