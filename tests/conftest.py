"""Fixtures named by what they give."""

import pytest

from tests.moving_clock import MovingClock


@pytest.fixture
def clock():
    return MovingClock()
