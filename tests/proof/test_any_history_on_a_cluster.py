"""Any history of brokers on a real API server: what was stored and what was told is judged when all is over.

What was drawn is told by its seed; but not in which moment each answer came, so the same seed gives another history of the same kind.
"""

import os
import secrets

import pytest

from tests.cluster.fixtures import *  # noqa: F403  # a cluster, and a namespace of it
from tests.cluster.fixtures import requests_to
from tests.cluster.requests import Namespace
from tests.proof.cluster_steps import Steps
from tests.proof.cluster_world import ClusterWorld
from tests.proof.steps import made

SOAK = "VMPOOL_SOAK" in os.environ
SEED = int(os.environ.get("VMPOOL_SEED") or secrets.randbits(32))
GROUND = "a cluster"
LONG = 100_000
FROZEN = 30


async def test_a_history_of_a_thousand_steps_breaks_no_promise(control_plane, namespace):
    await _history(control_plane, namespace, SEED, rounds=20, steps=50)

    assert made[GROUND] >= 1_000


def restarts(control_plane):
    control_plane.restart_api_server()


def forgets(control_plane):
    """Be started again, and know nothing of what was before."""
    control_plane.kill_api_server()
    control_plane.compact()
    control_plane.start_api_server()


def freezes(control_plane):
    control_plane.freeze()
    control_plane.wait(FROZEN)
    control_plane.thaw()


if SOAK:

    @pytest.mark.timeout(0)
    async def test_a_history_of_a_hundred_thousand_steps_breaks_no_promise(own_control_plane):
        mishaps = [restarts, forgets, freezes, None]
        number = 0
        while made[GROUND] < LONG:
            async with requests_to(own_control_plane) as requests:
                namespace = await Namespace(requests, f"history-{number}").create()
                away = mishaps[number % len(mishaps)]
                await _history(own_control_plane, namespace, SEED + number, rounds=10, steps=200, away=away)
            number += 1


async def _history(control_plane, namespace, seed, *, rounds, steps, away=None):
    world = ClusterWorld(control_plane, namespace)
    taken = Steps(world, seed)
    try:
        async with world.open():
            await taken.begin(brokers=3)
            for number in range(rounds):
                await taken.round(steps, away if number == rounds // 2 else None)
    except BaseException as error:
        error.add_note(f"this is what VMPOOL_SEED={seed} draws")
        raise
    made[GROUND] += taken.made
    assert set(taken.of) >= {"start", "work", "kill", "fault", "ask_at_rest"}, (
        "it was no history of all that may happen"
    )
