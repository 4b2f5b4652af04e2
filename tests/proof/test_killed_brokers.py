"""A broker that is killed at any call of its backend, before or after the call took effect, costs nothing.

What was pressed is counted once without a mishap; then it is cut short at each call in turn. Another broker comes, and everything has
to come to its right end: one VM per user, no session handed on, and the user's next press works.
"""

import pytest

from tests.builders import a_pool, a_user
from tests.proof.witness import Press
from tests.proof.world import Line, Memory, Store, World, starts
from vmpool_ext.broker.broker import Started
from vmpool_ext.broker.consoles import ConsoleOffer
from vmpool_ext.domain.machine import RequestedState
from vmpool_ext.domain.pool import EndAction

ANN, BOB = a_user("ann"), a_user("bob")


class Counting(World):
    """Counts the calls of its first broker, and kills it at one of them."""

    def __init__(self, ground, *, action, login):
        super().__init__(ground)
        self.calls = 0
        self.fatal = None
        self.define_pool(a_pool(retention="PT1h", end_action=action, login_on_assignment=login))
        for name in ("vm1", "vm2"):
            self.behind(self.backend.define_vm(name, ["win11"]))
        self.open()

    def count(self, fatal=None):
        """Count from now on; be killed at that call."""
        self.calls, self.fatal = 0, fatal
        line = self.running[0].line
        line._pass = self._counted(line, Line._pass)

    def _counted(self, line, go_on):
        async def counted():
            self.calls += 1
            if self.calls == self.fatal:
                self.kill(next(running for running in self.running if running.line is line))
            await go_on(line)

        return counted


def starts_first(world):
    """Ann presses Start, and has none yet."""
    return starts(ANN, "win11")


def starts_again(world):
    """Ann presses Start, and has one that is off."""
    world.now_does(*starts(ANN, "win11"))
    world.settle()
    world.now_does(Press("stop", "ann", "win11"), lambda broker: broker.stop(ANN, "win11"))
    world.settle()
    return starts(ANN, "win11")


def comes_back(world):
    """Ann presses Start after her retention ended."""
    world.now_does(*starts(ANN, "win11"))
    world.settle()
    world.pass_time(hours=2)
    world.quiet()
    return starts(ANN, "win11")


def gives_back(world):
    """Ann gives back what she looks at."""
    _looks_at_one(world, ANN)
    return Press("release", "ann", "win11"), lambda broker: broker.release(ANN, "win11")


def opens_a_console(world):
    """Ann opens the console."""
    world.now_does(*starts(ANN, "win11"))
    world.settle()
    return _console(ANN)


def takes_over(world):
    """Both VMs hold ann's session, and one is given to bob."""
    for _ in range(2):
        _looks_at_one(world, ANN)
        world.now_does(Press("release", "ann", "win11"), lambda broker: broker.release(ANN, "win11"))
    world.settle()
    return starts(BOB, "win11")


def lets_it_end(world):
    """Nobody presses anything; ann's retention ends."""
    world.behind(_looks_at_one(world, ANN).close())
    world.settle()
    world.pass_time(hours=2)
    return Press("wait", "ann", "win11"), _nothing


async def _nothing(_):
    return None


def _looks_at_one(world, user):
    world.now_does(*starts(user, "win11"))
    world.settle()
    display = world.now_does(*_console(user, connects=True))
    world.settle()
    return display


def _console(user, *, connects=False):
    async def opens(broker):
        offer = await broker.open_console(user, "win11")
        return (await broker.connect_console(user, offer.vm, offer.ticket)).display if connects else offer

    return Press("console", user.name, "win11"), opens


SCENES = [starts_first, starts_again, comes_back, gives_back, opens_a_console, takes_over, lets_it_end]
KINDS = [(EndAction.KEEP, False), (EndAction.STOP, False), (EndAction.DISCARD, False), (EndAction.LOGOUT, True)]


def played(ground, scene, action, login, fatal=None):
    """Play the scene, killed at that call if any; give the world."""
    world = Counting(ground, action=action, login=login)
    press = scene(world)
    world.count(fatal)
    world.press(world.running[0], *press)
    world.quiet()
    for _ in range(3):
        world.pass_time(seconds=5)
        world.quiet()
    return world


def cuts():
    """Every call of every scene."""
    for scene in SCENES:
        for action, login in KINDS:
            world = played(Memory, scene, action, login)
            calls = world.calls
            world.close()
            for fatal in range(1, calls + 1):
                yield pytest.param(scene, action, login, fatal, id=f"{scene.__name__}-{action}-{fatal}")


CUTS = list(cuts())


@pytest.mark.parametrize("ground", [Memory, Store])
@pytest.mark.parametrize(("scene", "action", "login", "fatal"), CUTS)
def test_whoever_is_killed_there_another_brings_it_to_its_end(ground, scene, action, login, fatal):
    world = played(ground, scene, action, login, fatal)
    if not world.running:
        world.start_broker()
    world.settle()

    for user in (ANN, BOB):
        _gets_one_clean(world, user)
    world.close()


def _gets_one_clean(world, user):
    outcome = world.now_does(*starts(user, "win11"))
    assert isinstance(outcome, Started), outcome
    world.settle()
    mine = [vm for vm in world.backend.vms_now().values() if vm.is_assigned("win11", user.name)]
    assert len(mine) == 1, "S1"
    assert mine[0].requested is RequestedState.RUNNING, "S4"
    assert isinstance(world.now_does(*_console(user)), ConsoleOffer)
    assert world.backend.witness.inside(mine[0]) <= {user.name}, "handed on clean"


def test_there_are_calls_to_be_killed_at():
    assert len(CUTS) > 100
