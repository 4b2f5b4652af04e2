"""VMs by grants of their own: VM mode."""

import pytest


async def test_one_sees_the_vms_that_grant_one_something(call):
    status, body = await call("GET", "vms")

    assert status == 200
    assert [vm["name"] for vm in body["vms"]] == ["own-1", "spice-1"]


async def test_a_vm_is_shown_field_by_field(call):
    _, body = await call("GET", "vms")

    assert body["vms"][0] == {
        "name": "own-1",
        "state": "stopped",
        "booted": False,
        "loggedInUser": None,
        "console": "closed",
        "display": "vnc",
        "connectionFile": False,
        "restartsForReset": False,
        "since": None,
        "retainedUntil": None,
        "os": None,
        "may": ["accessConsole", "reset", "start", "stop", "takeConsole"],
        "fault": None,
        "usedBy": None,
        "why": {action: {"code": "not-running", "permission": None} for action in ("stop", "reset", "console")},
    }


async def test_the_way_of_a_vm_of_ones_own(call, settled, open_socket):
    assert (await call("POST", "vms/own-1/start"))[0] == 202
    await settled()
    status, offer = await call("POST", "vms/own-1/console")
    assert (status, offer["url"], offer["file"]) == (200, "vms/own-1/display", None)
    socket = await open_socket("vms/own-1/display", ticket=offer["ticket"])
    assert (await socket.read_message()).startswith(b"RFB")
    assert (await call("POST", "vms/own-1/reset"))[0] == 202

    status, vm = await call("POST", "vms/own-1/stop")

    assert (status, vm["state"]) == (202, "stopping")
    assert await socket.read_message() is None


@pytest.mark.parametrize("act", ["start", "stop", "reset", "console"])
async def test_a_foreign_vm_looks_like_an_unknown_one(call, act):
    foreign, unknown = [await call("POST", f"vms/{name}/{act}") for name in ("foreign-1", "nothing-1")]

    assert foreign[0] == unknown[0] == 404
    assert foreign[1]["code"] == "vm-not-found"
    assert str(foreign[1]).replace("foreign-1", "nothing-1") == str(unknown[1])


async def test_a_vm_that_is_ones_own_by_a_pool_only_is_not_to_be_had_by_its_name(call):
    await call("POST", "pools/demo/start")

    assert (await call("POST", "vms/demo-1/stop"))[0] == 404


async def test_a_spice_console_is_a_file_for_virt_viewer(call):
    status, offer = await call("POST", "vms/spice-1/console")

    assert (status, offer["engine"]) == (200, "spice")
    assert offer["file"]["name"] == "spice-1.vv"
    assert offer["file"]["type"] == "application/x-virt-viewer"
    assert offer["file"]["content"].startswith("[virt-viewer]\ntype=spice\nhost=")
    assert offer["password"] in offer["file"]["content"]
