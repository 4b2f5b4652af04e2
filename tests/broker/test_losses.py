"""Assignments that another writer undoes: noticed, and told to whose they were."""

from contextlib import aclosing
from dataclasses import replace

from tests.broker.conftest import until
from tests.builders import a_user
from vmpool_ext.broker.losses import TOLD_FOR

ANN, BOB = a_user("ann"), a_user("bob")


def overwritten(backend, name):
    backend.put_vm(replace(backend.vm(name), assignment=None))


def told(broker, user):
    return [notice.message for notice in broker.overview(user).notices]


async def start(broker, settled):
    started = await broker.start(ANN, "win11")
    await settled()
    return started.pool.vm.name


async def test_who_loses_a_vm_to_another_writer_is_told_and_nobody_else(broker, backend, settled):
    name = await start(broker, settled)

    overwritten(backend, name)
    await until(lambda: broker.overview(ANN).pools[0].vm is None)

    [message] = told(broker, ANN)
    assert name in message
    assert "Press Start again" in message
    assert told(broker, BOB) == []


async def test_who_presses_again_is_told_no_more(broker, backend, settled):
    overwritten(backend, await start(broker, settled))
    await until(lambda: told(broker, ANN))

    await start(broker, settled)

    assert told(broker, ANN) == []


async def test_after_a_while_it_is_told_no_more_and_whoever_watches_sees_it_go(broker, backend, settled, clock):
    overwritten(backend, await start(broker, settled))
    async with aclosing(broker.watch(ANN)) as pictures:
        while not (await anext(pictures)).notices:
            pass

        await clock.advance(seconds=TOLD_FOR.total_seconds())

        while (await anext(pictures)).notices:
            pass


async def test_what_is_given_back_is_not_lost(broker, settled):
    await start(broker, settled)

    await broker.release(ANN, "win11")
    await settled()

    assert told(broker, ANN) == []


async def test_what_goes_much_later_was_taken_back_for_a_reason(broker, backend, settled, clock):
    name = await start(broker, settled)
    await clock.advance(minutes=1)

    overwritten(backend, name)
    await until(lambda: broker.overview(ANN).pools[0].vm is None)

    assert told(broker, ANN) == []
