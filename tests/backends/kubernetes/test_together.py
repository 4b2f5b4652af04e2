"""Several questions at once: one that fails ends the others, and whoever is to stop stops."""

import asyncio

import pytest

from vmpool_ext.backends.kubernetes.together import together


class Asked:
    """A question that takes until the test says so, also when it is given up."""

    def __init__(self):
        self.given_up = asyncio.Event()
        self.may_end = asyncio.Event()

    async def answer(self):
        try:
            await asyncio.Event().wait()
        finally:
            self.given_up.set()
            await self.may_end.wait()


async def failed():
    raise FileNotFoundError


async def answered(value):
    return value


async def test_all_answers_come_in_the_order_of_the_questions():
    assert await together(map(answered, range(3))) == [0, 1, 2]


async def test_where_one_fails_its_error_is_told_when_the_others_have_ended():
    other = Asked()
    asking = asyncio.create_task(together([failed(), other.answer()]))
    await other.given_up.wait()
    assert not asking.done()

    other.may_end.set()

    with pytest.raises(FileNotFoundError):
        await asking


async def test_whoever_is_to_stop_while_others_are_given_up_stops():
    other = Asked()
    asking = asyncio.create_task(together([failed(), other.answer()]))
    await other.given_up.wait()

    asking.cancel()
    other.may_end.set()

    with pytest.raises(asyncio.CancelledError):
        await asking
