"""The two WebSockets: updates, and the display of a VM."""

import asyncio
import json
from contextlib import suppress

import pytest
from tornado.websocket import WebSocketClosedError

from tests.builders import a_pool
from vmpool_ext.domain.permission import EVERY_PERMISSION, Grant


async def _picture(socket, holds=lambda _: True):
    while True:
        picture = json.loads(await asyncio.wait_for(socket.read_message(), 10))
        if holds(picture):
            return picture


async def test_updates_are_the_whole_picture_again_at_every_change(backend, open_socket, call):
    socket = await open_socket("updates")
    first = await _picture(socket)
    assert set(first) == {"revision", "pools", "vms", "notices", "problem"}
    await call("POST", "pools/demo/start")

    later = await _picture(socket, lambda picture: _demo(picture)["vm"] and _demo(picture)["vm"]["booted"])

    assert later["revision"] > first["revision"]
    assert later["pools"] == (await call("GET", "pools"))[1]["pools"]
    socket.close()


def _demo(picture):
    return next(pool for pool in picture["pools"] if pool["name"] == "demo")


async def test_a_pool_that_is_granted_appears_without_asking(backend, open_socket):
    socket = await open_socket("updates")
    await _picture(socket)

    backend.put_pool(a_pool("foreign", grants=(Grant(EVERY_PERMISSION, user="ann"),)))

    await _picture(socket, lambda picture: "foreign" in [pool["name"] for pool in picture["pools"]])
    socket.close()


async def test_a_socket_that_leaves_is_forgotten(backend, open_socket, settled):
    socket = await open_socket("updates")
    await _picture(socket)
    tasks = {task for task in asyncio.all_tasks() if task.get_name().endswith("updates")}
    assert len(tasks) == 1

    socket.close()

    await asyncio.wait(tasks, timeout=10)
    assert all(task.done() for task in tasks)


@pytest.fixture
async def offer(call, settled):
    await call("POST", "pools/demo/start")
    await settled()
    _, offer = await call("POST", "pools/demo/console")
    return offer


def _connect(open_socket, offer, **changes):
    ticket, vm = changes.get("ticket", offer["ticket"]), changes.get("vm", offer["vm"])
    return open_socket(f"vms/{vm}/display", headers=changes.get("headers"), ticket=ticket)


async def _closed_with(socket):
    while await asyncio.wait_for(socket.read_message(), 10) is not None:
        pass
    return socket.close_code


async def test_the_display_talks_both_ways(offer, open_socket):
    socket = await _connect(open_socket, offer)
    assert (await socket.read_message()).startswith(b"RFB")

    await socket.write_message(b"\x01\x02", binary=True)

    assert await socket.read_message() == b"\x01\x02"
    socket.close()


async def test_what_is_sent_before_the_display_is_connected_arrives(offer, open_socket):
    socket = await _connect(open_socket, offer)
    for n in range(50):
        socket.write_message(bytes([n]), binary=True)

    assert (await socket.read_message()).startswith(b"RFB")
    assert b"".join([await socket.read_message() for _ in range(50)]) == bytes(range(50))
    socket.close()


@pytest.mark.parametrize(("asked", "given"), [("binary", "binary"), ("base64, binary", "binary"), ("base64", None)])
async def test_who_asks_for_bytes_is_told_that_they_come_and_whoever_asks_for_else_is_not(
    offer, open_socket, asked, given
):
    """A browser ends a socket whose server does not agree."""
    socket = await _connect(open_socket, offer, headers={"Sec-WebSocket-Protocol": asked})

    assert socket.selected_subprotocol == given
    assert isinstance(await socket.read_message(), bytes)


async def test_a_spice_display_is_four_sockets_by_one_ticket(call, open_socket, backend):
    _, offer = await call("POST", "vms/spice-1/console")
    sockets = [await _connect(open_socket, offer) for _ in range(4)]
    for socket in sockets:
        assert await socket.read_message()

    assert await _closed_with(await _connect(open_socket, offer)) == 4401, "a fifth"
    for socket in sockets[1:]:
        socket.close()
    await sockets[0].write_message(b"\x01", binary=True)
    assert await sockets[0].read_message() == b"\x01", "what is open goes on"
    assert backend.vm("spice-1").console_connected


async def test_a_ticket_that_is_not_good_closes_with_its_own_code(offer, open_socket):
    assert await _closed_with(await _connect(open_socket, offer, ticket="guessed")) == 4401
    assert await _closed_with(await _connect(open_socket, offer, ticket="")) == 4401
    assert await _closed_with(await _connect(open_socket, offer, vm="demo-2")) == 4401
    assert await _closed_with(await _connect(open_socket, offer)) == 4401, "spent by the try on another VM"


async def test_what_is_sent_with_a_ticket_that_is_not_good_goes_nowhere(offer, open_socket, caplog):
    socket = await _connect(open_socket, offer, ticket="guessed")
    for _ in range(5):
        with suppress(WebSocketClosedError):
            await socket.write_message(b"\x01", binary=True)

    assert await _closed_with(socket) == 4401
    assert "Traceback" not in caplog.text


async def test_the_console_is_cut_when_the_vm_is_given_back(offer, open_socket, call, backend):
    socket = await _connect(open_socket, offer)
    await socket.read_message()
    assert backend.vm("demo-1").console_connected

    await call("POST", "pools/demo/release")

    assert await _closed_with(socket) == 4403
    await _until(lambda: not backend.vm("demo-1").console_connected)


async def test_the_console_ends_with_the_run_of_the_vm(offer, open_socket, call):
    socket = await _connect(open_socket, offer)
    await socket.read_message()

    await call("POST", "pools/demo/stop")

    assert await _closed_with(socket) == 4409


async def test_the_console_is_cut_when_the_display_ends(offer, open_socket):
    socket = await _connect(open_socket, offer)
    await socket.read_message()

    await socket.write_message(b"", binary=True)

    assert await _closed_with(socket) == 4409


async def test_leaving_disconnects_the_display(offer, open_socket, backend):
    socket = await _connect(open_socket, offer)
    await socket.read_message()

    socket.close()

    await _until(lambda: not backend.vm("demo-1").console_connected)


async def _until(holds):
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110  # the reference backend tells nobody but its watchers
            await asyncio.sleep(0.01)


async def test_no_ticket_and_no_password_is_written_to_the_log(offer, open_socket, caplog):
    caplog.set_level("DEBUG")
    socket = await _connect(open_socket, offer)
    await socket.read_message()
    await _closed_with(await _connect(open_socket, offer))
    socket.close()

    assert offer["ticket"] not in caplog.text
    assert offer["password"] not in caplog.text
