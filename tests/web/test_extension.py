"""The extension as Jupyter Server loads it: options, a backend that cannot be loaded, starting and stopping."""

import getpass
import json
from dataclasses import replace

import pytest

from tests.builders import a_pool, a_vm
from vmpool_ext.backends.memory import MemoryBackend
from vmpool_ext.domain.assignment import scattered, warm_first
from vmpool_ext.domain.permission import EVERY_PERMISSION, Grant
from vmpool_ext.server_extension import VmPoolExtension


@pytest.fixture
def traits():
    return {}


@pytest.fixture
def jp_server_config(jp_server_config, traits):
    jp_server_config["VmPoolExtension"].update(traits)
    return jp_server_config


class TestWithoutUser:
    @pytest.fixture
    def traits(self):
        return {"user": ""}

    async def test_the_user_is_the_account_that_the_server_runs_as(self, call):
        """Never Jupyter's own name, which is made up anew for every browser."""
        names = {(await call("GET", "me"))[1]["user"] for _ in range(3)}

        assert names == {getpass.getuser()}


class TestWithoutBackend:
    @pytest.fixture
    def traits(self):
        return {"backend_class": "vmpool_ext.backends.flying.FlyingBackend"}

    async def test_the_server_starts_and_says_why_there_are_no_pools(self, call, open_socket):
        status, body = await call("GET", "pools")
        assert (status, body["code"]) == (503, "backend-unavailable")
        assert "FlyingBackend" in body["message"]

        assert (await call("POST", "pools/demo/start"))[0] == 503
        health = (await call("GET", "health"))[1]
        assert (health["status"], health["problem"]["code"]) == ("degraded", "backend-unavailable")

    async def test_the_panel_is_told(self, open_socket):
        socket = await open_socket("updates")
        while '"loading"' in (picture := await socket.read_message()):
            pass

        assert "FlyingBackend" in picture


class TestAdministrator:
    @pytest.fixture
    def traits(self):
        return {"administrator": True}

    async def test_an_administrator_is_told_to_be_one(self, call):
        assert (await call("GET", "me"))[1]["administrator"] is True

    async def test_an_administrator_is_told_what_is_wrong_with_pools_and_why(self, backend, open_socket):
        backend.put_pool(replace(a_pool("broken"), misconfigured='The retention "P" is none.'))
        backend.put_pool(replace(a_pool("weekly"), warning="Not for VM-Operator."))
        socket = await open_socket("updates")
        of_pools = set()
        while not {"broken", "weekly"} <= of_pools:
            picture = json.loads(await socket.read_message())
            of_pools = {each["pool"] for each in picture["notices"]}

        assert [each for each in picture["notices"] if each["severity"] != "vm"] == [
            {"pool": "broken", "severity": "error", "message": 'The retention "P" is none.'},
            {"pool": "weekly", "severity": "warning", "message": "Not for VM-Operator."},
        ]


class TestRoles:
    @pytest.fixture
    def traits(self):
        return {"roles": ["student"]}

    async def test_what_is_granted_to_a_role_is_granted_to_who_has_it(self, backend, call, settled):
        for role in ("student", "teacher"):
            backend.put_pool(a_pool(f"for-{role}s", grants=(Grant(EVERY_PERMISSION, role=role),)))
        await settled()

        assert (await call("GET", "me"))[1]["roles"] == ["student"]
        assert (await call("GET", "pools/for-students"))[0] == 200
        assert (await call("GET", "pools/for-teachers"))[0] == 404


class SharedBackend(MemoryBackend):
    """One that others give the VMs of too."""

    shared = True
    equals = tuple(a_vm(f"demo-{number}", pool="demo") for number in range(20))

    def __init__(self, clock, parent):
        super().__init__(clock, [a_pool("demo", grants=(Grant(EVERY_PERMISSION, user="ann"),))], self.equals)


class TestSeveralBrokers:
    @pytest.fixture
    def traits(self, monkeypatch):
        monkeypatch.setattr("secrets.token_hex", lambda _: "this broker")
        return {"backend_class": f"{__name__}.SharedBackend"}

    async def test_where_others_give_the_same_vms_each_begins_elsewhere_among_equals(self, call, extension):
        await call("POST", "pools/demo/start")

        (given,) = [vm for vm in SharedBackend.equals if extension._backend.vm(vm.name).assignment]
        assert given.name == min(SharedBackend.equals, key=scattered(warm_first, "this broker")).name


class TestUnusableName:
    @pytest.fixture
    def traits(self):
        return {"user": "a/b"}

    async def test_a_name_that_could_break_something_is_refused_and_never_becomes_another(self, call):
        for method, path in (("GET", "me"), ("GET", "pools"), ("POST", "pools/demo/start")):
            status, body = await call(method, path)
            assert (status, body["code"]) == (422, "unusable-name")
            assert "a/b" in body["message"]


class TestWrongOptionOfTheBackend:
    @pytest.fixture
    def jp_server_config(self, jp_server_config):
        jp_server_config["VmPoolExtension"]["backend_class"] = "vmpool_ext.backends.qemu.backend.QemuBackend"
        jp_server_config["QemuBackend"] = {"accelerator": "steam"}
        return jp_server_config

    async def test_the_server_starts_and_names_the_option(self, call, extension):
        status, body = await call("GET", "pools")

        assert (status, body["code"]) == (503, "backend-unavailable")
        assert "accelerator" in body["message"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"prefer": "cheap"},
        {"used_vm": "dirty"},
        {"roles": 7},
        {"administrator": "perhaps"},
        {"backend_class": 7},
    ],
)
class TestWrongOption:
    @pytest.fixture
    def traits(self, wrong):
        return wrong

    async def test_nothing_is_served_under_another_ones_name_and_the_option_is_named(self, call, wrong):
        status, body = await call("GET", "pools")

        assert (status, body["code"]) == (503, "backend-unavailable")
        assert next(iter(wrong)) in body["message"]


async def test_an_extension_that_never_began_is_stopped_without_complaint():
    await VmPoolExtension().stop_extension()


async def test_what_the_broker_says_is_in_the_servers_log(call, extension, capfd, caplog):
    caplog.set_level("INFO")
    await call("POST", "pools/demo/start")

    assert "start: vm demo-1 of pool demo for ann" in capfd.readouterr().err + caplog.text


async def test_stopping_lets_go_of_the_broker(extension):
    await extension.stop_extension()

    assert extension._running.done()
