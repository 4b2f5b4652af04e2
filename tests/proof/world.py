"""Brokers on one ground, people who press, and time: on a loop whose order somebody else draws."""

from contextlib import aclosing
from dataclasses import replace

from tests.builders import a_user
from tests.moving_clock import MovingClock
from tests.proof.drawn_loop import DrawnLoop, first
from tests.proof.grounds import InMemory, InStore
from tests.proof.witness import Press, Witnessed, pressed
from vmpool_ext.broker.broker import PoolBroker
from vmpool_ext.broker.following import LONGEST_PAUSE
from vmpool_ext.broker.keeper import AGAIN_AFTER
from vmpool_ext.domain.duties import LOGIN_AGAIN_AFTER
from vmpool_ext.domain.errors import BackendUnavailable, VmPoolError


class Memory(Witnessed, InMemory):
    pass


class Store(Witnessed, InStore):
    pass


class Line:
    """One broker's way to the backend: it may be cut, or lose an answer; a dead broker does nothing more."""

    def __init__(self, backend, loop):
        self._backend = backend
        self._loop = loop
        self.dead = False
        self.away = False
        self.loses_answers = 0

    def __getattr__(self, name):
        method = getattr(self._backend, name)

        async def call(*args):
            await self._pass()
            result = await method(*args)
            if self.loses_answers:
                self.loses_answers -= 1
                self._cut()
            await self._pass()
            return result

        return call

    def tell(self, decision):
        self._backend.tell(decision)

    async def watch(self):
        await self._pass()
        async with aclosing(self._backend.watch()) as events:
            async for event in events:
                await self._pass()
                yield event

    async def _pass(self):
        if self.dead:
            await self._loop.create_future()
        if self.away:
            self._cut()

    def _cut(self):
        message = "The backend is away."
        raise BackendUnavailable(message)


class Running:
    """A broker that runs, and what it shows to those who watch."""

    def __init__(self, world, users):
        self.line = Line(world.backend, world.loop)
        self.broker = PoolBroker(self.line, world.clock)
        self.shown = {}
        work = [self.broker.run(), *(self._show(user) for user in users)]
        self.tasks = [world.loop.create_task(each) for each in work]

    async def _show(self, user):
        async for picture in self.broker.watch(user):
            self.shown[user.name] = picture


class Doing:
    """Something that was pressed, and what came of it."""

    def __init__(self, world, running, press, task):
        self.running = running
        self.press = press
        self.task = task
        self.disturbed = bool(world.doings)
        self.told = None


class World:
    """Everything that a history is made of."""

    def __init__(self, ground, brokers=1, users=()):
        self.loop = DrawnLoop()
        self.clock = MovingClock()
        self.backend = ground(self.clock)
        self.users = [a_user(name) for name in users]
        self.loop.run(self.backend.start())
        self.running = []
        self.doings = []
        self.left = []
        self._brokers = brokers

    def open(self):
        """Have the brokers run, and see everything."""
        for _ in range(self._brokers):
            self.start_broker()
        self.quiet()

    def start_broker(self):
        self.running.append(Running(self, self.users))

    def kill(self, running):
        """End a broker where it stands: nothing that it would have done on its way out is done."""
        running.line.dead = True
        self.running.remove(running)
        killed = [doing for doing in self.doings if doing.running is running]
        self.doings = [doing for doing in self.doings if doing.running is not running]
        self.left += [*running.tasks, *(doing.task for doing in killed)]

    def behind(self, coro):
        """Do something behind the brokers' backs, at once."""
        self.disturb()
        return self.loop.run(coro)

    def disturb(self):
        for doing in self.doings:
            doing.disturbed = True

    def define_pool(self, pool):
        self.backend.witness.pool_is(pool.name, pool)
        self.behind(self.backend.define_pool(pool))

    def remove_pool(self, name):
        self.backend.witness.pool_is(name, None)
        self.behind(self.backend.remove_pool(name))

    def press(self, running, press, then):
        """Press; what comes of it is looked at in the moment when it is told."""
        task = self.loop.create_task(self._pressed(running, press, then))
        doing = Doing(self, running, press, task)
        for other in self.doings:
            other.disturbed = True
        self.doings.append(doing)
        return doing

    async def _pressed(self, running, press, then):
        pressed.set(press)
        try:
            outcome = await then(running.broker)
        except VmPoolError as error:
            outcome = error
        doing = next((each for each in self.doings if each.press is press), None)
        if doing:
            doing.told = outcome
            self.told(doing)
        return outcome

    def told(self, doing):
        """Look at what somebody was told; for machines to fill in."""

    def go_on(self, steps, choose=first):
        """Let so many callbacks go on."""
        for _ in range(steps):
            if not self.loop.step(choose):
                break
        self._forget_done()

    def quiet(self, choose=first):
        """Let everything go on that needs no time to pass."""
        self.loop.quiet(choose)
        self._forget_done()
        self.backend.witness.quiet(self.backend.pools_now())

    def pass_time(self, **by):
        self.disturb()
        self.loop.run(self.clock.advance(**by))
        self.backend.witness.time_is()

    def settle(self):
        """Let everything come to rest, with the time that trying again needs, but hardly more."""
        self.quiet()
        for _ in range(2):
            self.pass_time(seconds=LONGEST_PAUSE.total_seconds())
            self.quiet()
        for _ in range(8):
            self.pass_time(seconds=AGAIN_AFTER.total_seconds())
            self.quiet()
        self.pass_time(seconds=LOGIN_AGAIN_AFTER.total_seconds())
        self.quiet()

    def now_does(self, press, then):
        """Press, and let it be done: give what came of it."""
        doing = self.press(self.running[0], press, then)
        self.quiet()
        assert doing.task.done(), f"{press} waits for what never happens"
        return doing.task.result()

    def close(self):
        """End everything; nothing may have failed unseen."""
        work = [task for running in self.running for task in running.tasks]
        self.loop.end([*work, *self.left, *(doing.task for doing in self.doings)])
        self.loop.run(self.backend.close())
        assert not self.loop.errors, self.loop.errors

    def _forget_done(self):
        for doing in self.doings:
            if doing.task.done():
                doing.task.result()
        self.doings = [doing for doing in self.doings if not doing.task.done()]


def plain(picture):
    """A picture without its number."""
    return replace(picture, revision=0)


START = "start"


def starts(user, pool):
    """Give the press and what it does."""
    return Press(START, user.name, pool), lambda broker: broker.start(user, pool)
