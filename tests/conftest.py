"""Fixtures named by what they give; and no test is skipped where CI looks."""

import os

import pytest
from hypothesis import settings

from tests.moving_clock import MovingClock

settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("dev", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture
def clock():
    return MovingClock()


def pytest_sessionfinish(session):
    """What a test needs, the test command installs: one that was skipped has failed."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
