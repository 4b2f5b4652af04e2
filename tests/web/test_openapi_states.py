"""What a user is shown keeps the contract in every state that there is; and the contract promises no state that there is not."""

import json
from urllib.parse import quote

import pytest

from tests.web.contract import DOCUMENT, component
from tests.web.every_state import USER, EveryState

SCHEMAS = DOCUMENT["components"]["schemas"]


@pytest.fixture
def jp_server_config(jp_server_config):
    jp_server_config["VmPoolExtension"] = {
        "backend_class": f"{EveryState.__module__}.EveryState",
        "user": USER,
        "administrator": True,
    }
    return jp_server_config


@pytest.fixture
async def picture(call, open_socket):
    """The first picture with something in it."""
    await call("GET", "pools")
    socket = await open_socket("updates")
    while not (picture := json.loads(await socket.read_message()))["pools"]:
        pass
    return picture


def _vms(picture):
    return [*picture["vms"], *(pool["vm"] for pool in picture["pools"] if pool["vm"])]


def _reasons(picture):
    return [reason for each in (*picture["pools"], *picture["vms"]) for reason in each["why"].values()]


async def test_the_picture_and_the_lists_are_as_promised(picture, call):
    component("Picture").validate(picture)

    assert component("Pools").is_valid((await call("GET", "pools"))[1])
    assert component("Vms").is_valid((await call("GET", "vms"))[1])


async def test_every_word_that_is_promised_is_said_of_some_state(picture):
    vms, reasons = _vms(picture), _reasons(picture)
    said = {
        "VmState": {vm["state"] for vm in vms},
        "ConsoleState": {vm["console"] for vm in vms},
        "DisplayEngine": {vm["display"] for vm in vms},
        "FaultCode": {vm["fault"]["code"] for vm in vms if vm["fault"]},
        "ReasonCode": {reason["code"] for reason in reasons},
        "Permission": {permission for vm in vms for permission in vm["may"]},
    }

    assert said == {name: set(SCHEMAS[name]["enum"]) for name in said}
    assert {notice["severity"] for notice in picture["notices"]} == {"error", "warning", "vm"}


@pytest.mark.parametrize("field", ["loggedInUser", "since", "retainedUntil", "os", "fault"])
async def test_what_may_be_null_sometimes_is_and_sometimes_is_not(picture, field):
    assert {vm[field] is None for vm in _vms(picture)} == {True, False}


async def test_nothing_may_be_said_beyond_the_contract_and_nothing_left_out(picture):
    """At every place in a real picture, one field more or one less is a breach."""
    judge = component("Picture")

    for place in _objects(picture):
        place["more"] = None
        assert not judge.is_valid(picture), place
        del place["more"]
        for field in [] if _is_why(place) else list(place):
            value = place.pop(field)
            assert not judge.is_valid(picture), field
            place[field] = value
    assert judge.is_valid(picture)


def _is_why(place):
    """Whether it names actions, of which any may be missing."""
    return all(isinstance(value, dict) and "permission" in value for value in place.values())


def _objects(value, seen=None):
    """Give one object of each kind, told apart by its fields."""
    seen = set() if seen is None else seen
    if isinstance(value, dict):
        if frozenset(value) not in seen:
            seen.add(frozenset(value))
            yield value
        value = list(value.values())
    for each in value if isinstance(value, list) else ():
        yield from _objects(each, seen)


async def test_a_stale_picture_is_as_promised_and_says_why(picture, backend, open_socket, call):
    socket = await open_socket("updates")
    await socket.read_message()
    backend.disconnect_watchers()
    while not (stale := json.loads(await socket.read_message()))["problem"]:
        pass

    component("Picture").validate(stale)
    assert stale["problem"]["code"] == "backend-unavailable"
    # The broker may be back by now, on a busy machine.
    while not (problem := (await call("GET", "health"))[1]["problem"]):
        backend.disconnect_watchers()
    assert problem["code"] == "backend-unavailable"


@pytest.mark.parametrize("act", ["start", "stop", "reset", "release", "console"])
async def test_acts_on_pools_answer_as_promised_in_every_state(picture, call, act):
    """`call` holds each answer to the contract."""
    answers = {await _status(call, f"pools/{quote(pool['name'], safe='')}/{act}") for pool in picture["pools"]}

    assert len(answers) > 1


@pytest.mark.parametrize("act", ["start", "stop", "reset", "console"])
async def test_acts_on_vms_answer_as_promised_in_every_state(picture, call, act):
    answers = {await _status(call, f"vms/{quote(vm['name'], safe='')}/{act}") for vm in picture["vms"]}

    assert len(answers) > 1


async def _status(call, path):
    return (await call("POST", path))[0]


async def test_the_url_of_a_console_leads_to_the_display_of_a_vm_whose_name_is_no_url(picture, call, open_socket):
    _, offer = await call("POST", "vms/own%20on/console")

    assert offer["url"] == "vms/own%20on/display"
