"""The console of a SPICE display: four sockets by one ticket, each held to all that one of VNC is (R9)."""

import asyncio
from dataclasses import replace

import pytest

from tests.builders import a_user, a_vm
from vmpool_ext.domain.errors import InvalidTicket, NotRunning, VmNotFound

ANN, BOB = a_user("ann"), a_user("bob")
CHANNELS = ("main", "display", "inputs", "cursor")


@pytest.fixture
async def offer(broker, backend, settled):
    """What opens ann's console, of a VM whose display is SPICE."""
    backend.put_vm(a_vm("vm1", user="ann", running=True, display="spice"))
    await settled()
    return await broker.open_console(ANN, "win11")


def _connect(broker, offer):
    return broker.connect_console(ANN, offer.vm, offer.ticket)


async def test_a_ticket_opens_a_socket_for_each_channel_of_a_console(broker, offer):
    for _ in CHANNELS:
        await _connect(broker, offer)


async def test_a_ticket_opens_no_further_channel_and_what_is_open_stays(broker, offer):
    """Such as one for sound."""
    consoles = [await _connect(broker, offer) for _ in CHANNELS]
    ended = [asyncio.create_task(console.ended()) for console in consoles]

    with pytest.raises(InvalidTicket):
        await _connect(broker, offer)

    assert not any(task.done() for task in ended)
    for task in ended:
        task.cancel()


@pytest.mark.parametrize(("seconds", "good"), [(9.999999, True), (10, False)])
async def test_all_channels_are_opened_within_the_ten_seconds_of_the_ticket(broker, offer, clock, seconds, good):
    await _connect(broker, offer)
    await clock.advance(seconds=seconds)

    if good:
        await _connect(broker, offer)
    else:
        with pytest.raises(InvalidTicket):
            await _connect(broker, offer)


async def test_a_try_by_somebody_else_spends_what_is_left_of_a_ticket(broker, offer):
    await _connect(broker, offer)

    with pytest.raises(InvalidTicket):
        await broker.connect_console(BOB, offer.vm, offer.ticket)
    with pytest.raises(InvalidTicket):
        await _connect(broker, offer)


async def test_a_ticket_for_one_display_is_not_good_for_the_one_that_came_in_its_place(broker, backend, offer, settled):
    backend.put_vm(replace(backend.vm(offer.vm), display="vnc"))
    await settled()

    with pytest.raises(InvalidTicket):
        await _connect(broker, offer)


async def test_what_is_left_of_a_ticket_dies_with_the_assignment(broker, offer):
    await _connect(broker, offer)
    await broker.release(ANN, "win11")

    with pytest.raises(VmNotFound):
        await _connect(broker, offer)


async def test_every_channel_ends_when_the_vm_is_given_back(broker, offer):
    consoles = [await _connect(broker, offer) for _ in CHANNELS]
    ended = [asyncio.create_task(console.ended()) for console in consoles]

    await broker.release(ANN, "win11")

    reasons = await asyncio.wait_for(asyncio.gather(*ended), 5)
    assert [type(reason) for reason in reasons] == [VmNotFound] * len(CHANNELS)


async def test_every_channel_ends_with_the_run_of_the_vm(broker, offer):
    consoles = [await _connect(broker, offer) for _ in CHANNELS]
    ended = [asyncio.create_task(console.ended()) for console in consoles]

    await broker.stop(ANN, "win11")

    reasons = await asyncio.wait_for(asyncio.gather(*ended), 5)
    assert [type(reason) for reason in reasons] == [NotRunning] * len(CHANNELS)


@pytest.mark.parametrize(("reachable", "name"), [(True, "vm1.vv"), (False, None)])
async def test_there_is_a_file_for_virt_viewer_where_it_reaches_the_display(broker, backend, settled, reachable, name):
    backend.put_vm(a_vm("vm1", user="ann", running=True, display="spice", reachable=reachable))
    await settled()

    offer = await broker.open_console(ANN, "win11")

    assert (offer.file.name if offer.file else None) == name
    assert broker.pool(ANN, "win11").vm.connection_file == (name is not None)
