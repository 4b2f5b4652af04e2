"""Opening a console: a ticket, ten seconds, and the end of it (R9)."""

import asyncio

import pytest

from tests.builders import a_pool, a_user
from vmpool_ext.domain.errors import (
    InvalidTicket,
    NothingAssigned,
    NotRunning,
    PermissionMissing,
    PoolNotFound,
    VmNotFound,
)

ANN, BOB = a_user("ann"), a_user("bob")


@pytest.fixture
async def with_a_vm(broker, settled):
    await broker.start(ANN, "win11")
    await settled()
    return broker


async def test_an_offer_opens_the_display(with_a_vm, backend):
    offer = await with_a_vm.open_console(ANN, "win11")

    console = await with_a_vm.connect_console(ANN, offer.vm, offer.ticket)

    assert (await console.display.read()).startswith(b"RFB")
    assert backend.vm("vm1").console_user == "ann"


async def test_a_ticket_is_good_once(with_a_vm):
    offer = await with_a_vm.open_console(ANN, "win11")
    await with_a_vm.connect_console(ANN, offer.vm, offer.ticket)

    with pytest.raises(InvalidTicket):
        await with_a_vm.connect_console(ANN, offer.vm, offer.ticket)


@pytest.mark.parametrize(("seconds", "good"), [(9.999999, True), (10, False)])
async def test_a_ticket_is_good_for_ten_seconds(with_a_vm, clock, seconds, good):
    offer = await with_a_vm.open_console(ANN, "win11")
    await clock.advance(seconds=seconds)

    if good:
        await with_a_vm.connect_console(ANN, offer.vm, offer.ticket)
    else:
        with pytest.raises(InvalidTicket):
            await with_a_vm.connect_console(ANN, offer.vm, offer.ticket)


async def test_a_ticket_is_good_for_its_user_and_vm_only_and_spent_by_trying(with_a_vm):
    for user, vm in ((BOB, "vm1"), (ANN, "vm2")):
        offer = await with_a_vm.open_console(ANN, "win11")
        with pytest.raises(InvalidTicket):
            await with_a_vm.connect_console(user, vm, offer.ticket)
        with pytest.raises(InvalidTicket):
            await with_a_vm.connect_console(ANN, offer.vm, offer.ticket)


async def test_tickets_cannot_be_guessed_and_differ(with_a_vm):
    tickets = {(await with_a_vm.open_console(ANN, "win11")).ticket for _ in range(20)}

    assert len(tickets) == 20
    assert all(len(ticket) >= 43 for ticket in tickets), "256 bits"


async def test_a_ticket_dies_with_the_assignment(with_a_vm):
    offer = await with_a_vm.open_console(ANN, "win11")
    await with_a_vm.release(ANN, "win11")

    with pytest.raises(VmNotFound):
        await with_a_vm.connect_console(ANN, offer.vm, offer.ticket)


async def _open(broker):
    offer = await broker.open_console(ANN, "win11")
    console = await broker.connect_console(ANN, offer.vm, offer.ticket)
    return asyncio.create_task(console.ended())


async def test_an_open_console_ends_when_the_vm_is_given_back(with_a_vm):
    ended = await _open(with_a_vm)
    assert not ended.done()

    await with_a_vm.release(ANN, "win11")

    assert isinstance(await asyncio.wait_for(ended, 5), VmNotFound)


async def test_an_open_console_ends_when_the_permission_does(with_a_vm, backend):
    ended = await _open(with_a_vm)

    backend.put_pool(a_pool(may=["start", "stop"]))

    assert isinstance(await asyncio.wait_for(ended, 5), PermissionMissing)


async def test_an_open_console_ends_when_the_vm_stops(with_a_vm):
    ended = await _open(with_a_vm)

    await with_a_vm.stop(ANN, "win11")

    assert isinstance(await asyncio.wait_for(ended, 5), NotRunning)


async def test_an_open_console_outlives_what_does_not_concern_it(with_a_vm, backend, clock, settled):
    ended = await _open(with_a_vm)

    await with_a_vm.start(BOB, "win11")
    await clock.advance(hours=99)
    await settled()

    assert not ended.done()
    ended.cancel()


async def test_there_must_be_a_vm_that_runs(broker, with_a_vm, settled):
    with pytest.raises(NothingAssigned):
        await broker.open_console(BOB, "win11")
    await broker.stop(ANN, "win11")
    await settled()
    with pytest.raises(NotRunning):
        await broker.open_console(ANN, "win11")


async def test_the_permission_is_asked_at_every_opening(with_a_vm, backend, settled):
    backend.put_pool(a_pool(may=["start", "stop"]))
    await settled()

    with pytest.raises(PermissionMissing):
        await with_a_vm.open_console(ANN, "win11")


async def test_an_open_console_ends_with_its_pool(with_a_vm, backend):
    ended = await _open(with_a_vm)

    backend.delete_pool("win11")

    assert isinstance(await asyncio.wait_for(ended, 5), PoolNotFound)
