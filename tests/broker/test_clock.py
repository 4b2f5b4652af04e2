"""The clock of this machine: whether it can be trusted, and how long a pause is."""

import asyncio
from datetime import timedelta

import pytest

from vmpool_ext.broker.clock import SystemClock

HOUR = 3600


class Time:
    """A wall clock that can be set, and a steady one that nobody sets."""

    def __init__(self):
        self.wall = 1_768_478_400.0
        self.steady = 1000.0
        self.clock = SystemClock(lambda: self.wall, lambda: self.steady)

    def passes(self, seconds):
        self.wall += seconds
        self.steady += seconds


@pytest.fixture
def time():
    return Time()


@pytest.mark.parametrize("seconds", [30, -30, 29.9, 0])
def test_a_clock_that_is_set_by_half_a_minute_is_trusted(time, seconds):
    time.wall += seconds

    assert time.clock.is_trusted()


@pytest.mark.parametrize("seconds", [30.1, -30.1, 9 * HOUR, -9 * HOUR])
def test_one_that_is_set_by_more_is_not_until_it_has_gone_on_from_there_for_an_hour(time, seconds):
    time.wall += seconds
    assert not time.clock.is_trusted()
    time.passes(HOUR - 1)
    assert not time.clock.is_trusted()
    time.passes(1)
    assert time.clock.is_trusted()
    time.passes(99 * HOUR)
    assert time.clock.is_trusted()


def test_one_that_is_set_right_again_is_trusted_at_once(time):
    time.wall += 9 * HOUR
    assert not time.clock.is_trusted()
    time.passes(60)
    time.wall -= 9 * HOUR

    assert time.clock.is_trusted()


def test_one_that_is_set_again_has_to_go_on_anew(time):
    time.wall += 9 * HOUR
    assert not time.clock.is_trusted()
    time.passes(HOUR / 2)
    time.wall += 9 * HOUR
    assert not time.clock.is_trusted()
    time.passes(HOUR / 2 + 1)

    assert not time.clock.is_trusted()


def test_one_that_is_set_right_slowly_is_trusted_however_far_it_comes(time):
    for _ in range(1000):
        time.passes(60)
        time.wall += 0.5
        assert time.clock.is_trusted()


def test_a_machine_that_was_asleep_has_not_jumped(time):
    """The steady clock goes on meanwhile."""
    time.passes(72 * HOUR)

    assert time.clock.is_trusted()


@pytest.mark.parametrize("set_by", [0, -9 * HOUR])
async def test_a_pause_is_as_long_as_it_should_be_also_when_the_clock_is_set_back(set_by):
    time = Time()
    looks = iter(range(1_000_000))

    def steady():
        return 1000.0 + next(looks) / 100

    clock = SystemClock(lambda: time.wall, steady)
    pausing = asyncio.create_task(clock.sleep_until(clock.now() + timedelta(seconds=0.05)))
    await asyncio.sleep(0)
    time.wall += set_by

    await asyncio.wait_for(pausing, 5)


async def test_a_moment_that_has_passed_is_not_waited_for(time):
    await asyncio.wait_for(time.clock.sleep_until(time.clock.now() - timedelta(seconds=1)), 5)
