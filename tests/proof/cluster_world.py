"""Brokers on a real API server, each by a way of its own; people who press, a played VM-Operator, and a clock: all of it recorded."""

import asyncio
import logging
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from tests.builders import a_user
from tests.cluster.authors import Authors, SignedNamespace, SigningProxy
from tests.cluster.fixtures import backend_with
from tests.cluster.stored import EtcdHistory
from tests.proof.displayed import Operator
from tests.proof.shifted_clock import ShiftedClock
from tests.proof.verdict import Pressed, Record, Rest, Verdict
from vmpool_ext.broker.broker import PoolBroker, Started
from vmpool_ext.broker.consoles import ConsoleOffer
from vmpool_ext.broker.following import LONGEST_PAUSE
from vmpool_ext.broker.keeper import AGAIN_AFTER
from vmpool_ext.domain.duties import LOGIN_AGAIN_AFTER
from vmpool_ext.domain.errors import VmPoolError

PATIENCE = 90
LOOK_AGAIN_AFTER = 0.01
TRIES = 10
QUIET = {"request_timeout": 1.0, "login_timeout": 2.0, "serial_timeout": 0.5}
"""Options of the backends: nobody waits long for what will not come."""

OF_THE_RUN = ("conditions", "loggedInUser", "runnerVersion", "displayPasswordSerial")


class Running:
    """One broker, its backend, and its way to the API server."""

    def __init__(self, name, proxy, backend, broker):
        self.name = name
        self.proxy = proxy
        self.backend = backend
        self.broker = broker
        self.task = asyncio.create_task(broker.run())
        self.presses = set()

    @property
    def busy(self):
        return self.broker._keeper._busy or self.broker.problem

    @property
    def seen(self):
        return self.broker._inventory._version

    def has_seen(self, version):
        return self.broker.problem is None and self.seen >= version

    async def end(self):
        """End it where it stands."""
        for task in (self.task, *self.presses):
            task.cancel()
        await asyncio.gather(self.task, *self.presses, return_exceptions=True)
        await self.backend.stop()
        await self.proxy.end()


class ClusterWorld:
    """Everything that a history is made of."""

    def __init__(self, control_plane, namespace):
        self.control_plane = control_plane
        self.authors = Authors()
        self.namespace = SignedNamespace(namespace, self.authors, "driver")
        self.history = EtcdHistory(control_plane, namespace.name)
        self.clock = ShiftedClock()
        self.operator = Operator(self.namespace.by("operator"), self.history, self.clock)
        self.record = Record(self.history, self.authors, self.clock, entered=self.operator.entered)
        self.running = []
        self.secrets = {control_plane.token}
        self.astray = False
        """Whether somebody may have two, since a broker was ended, an answer lost, or something overwritten."""
        self.told = LogText()
        self._numbers = iter(range(1, 10**9))
        self._stack = AsyncExitStack()
        self._away = None

    @asynccontextmanager
    async def open(self):
        """Record everything from now on; judge it at the end."""
        with self.told.kept():
            async with self._stack, self.history.written(), self.operator:
                yield self
                await self.rest()
                for running in self.running:
                    await running.end()
        self.judge()

    def judge(self):
        Verdict(self.record).hold()
        asked = [path for proxy in self.told.proxies for _, path in proxy.asked]
        told = [str(press.outcome) for press in self.record.presses]
        everything = "\n".join([self.told.text(), *asked, *told])
        for secret in self.secrets:
            assert secret not in everything, "a secret is in a log, a URL or an error"

    async def start_broker(self, kubeconfig=None):
        """Have a broker run; how it reaches the address that it is given is the kubeconfig's matter."""
        name = f"broker-{next(self._numbers)}"
        proxy = await self._stack.enter_async_context(SigningProxy(self.control_plane, self.authors, name).serving())
        self.told.proxies.append(proxy)
        write = kubeconfig or (lambda url: self.control_plane.kubeconfig(server=url))
        options = {"kubeconfig": write(proxy.url), "namespace": self.namespace.name, **QUIET}
        backend = backend_with(self.clock, **options)
        await backend.start()
        self.running.append(Running(name, proxy, backend, PoolBroker(backend, self.clock)))
        return self.running[-1]

    async def kill(self, running):
        self.running.remove(running)
        await running.end()

    def press(self, running, what, user, pool, then, *, at_rest=False):
        """Press; what comes of it is recorded."""
        press = Pressed(running.name, what, user.name, pool, 0, self.clock.now(), len(self.record.rests), at_rest)
        task = asyncio.create_task(self._pressed(press, running.broker, then))
        running.presses.add(task)
        return task

    async def _pressed(self, press, broker, then):
        press.begin = await self.history.mark()
        self.record.presses.append(press)
        try:
            press.outcome = await then(broker)
        except VmPoolError as error:
            press.outcome = error
        press.told = await self.history.mark()
        return press.outcome

    def start(self, running, user, pool, **options):
        return self.press(running, "start", user, pool, lambda broker: broker.start(user, pool), **options)

    def console(self, running, user, pool):
        """Have the user open the console, and look into the display with what they were told."""

        async def looks(broker):
            offer = await broker.open_console(user, pool)
            self.secrets |= {offer.password, offer.ticket}
            await self.operator.look(offer.vm, user.name, offer.password)
            return offer

        return self.press(running, "console", user, pool, looks)

    def work(self, running, user, pool):
        """Have the user start, and look into the display as soon as they are let."""

        async def works():
            outcome = await self.start(running, user, pool)
            for _ in range(TRIES if isinstance(outcome, Started) else 0):
                if isinstance(await self.console(running, user, pool), ConsoleOffer):
                    return
                await asyncio.sleep(LOOK_AGAIN_AFTER)

        running.presses.add(asyncio.create_task(works()))

    def goes_away(self, how):
        """Have the API server be away for a while, and perhaps forget meanwhile what was before."""
        self.astray = self.record.lossy = True
        self._away = asyncio.create_task(asyncio.to_thread(how, self.control_plane))
        return self._away

    async def write_carelessly(self, name, status):
        """Write a whole status without a condition, from a copy that is older than who has the VM, but not than how it runs."""
        meddler = self.namespace.by("meddler")
        async with self.operator.holding_still(name):
            now = (await self.namespace.get("vms", name))["status"]
            if all(now.get(part) == status.get(part) for part in OF_THE_RUN):
                await meddler.replace_status(name, {**status, "cpus": status["cpus"] + 1})

    async def go_on(self, milliseconds):
        """Let everything go on for a moment."""
        await asyncio.sleep(milliseconds / 1000)

    async def some_of(self, tasks):
        """Wait for some to end."""
        if tasks:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)

    # Quiet.

    async def quiet(self):
        """Return when nothing goes on any more that needs no time to pass."""
        calm, last, going_on = 0, None, "nothing yet"
        try:
            async with asyncio.timeout(PATIENCE):
                while calm < 3:
                    vms = (await self.history.now("vms")).values()
                    version = max((each.version for each in vms), default=0)
                    there = max((each.version for each in vms if each.object), default=0)
                    going_on = self._going_on(version, there)
                    calm = calm + 1 if version == last and not going_on else 0
                    last = version
                    await asyncio.sleep(LOOK_AGAIN_AFTER)
        except TimeoutError as error:
            message = f"it never gets quiet: {going_on} at {last}"
            raise AssertionError(message) from error

    async def settle(self):
        """Let everything come to rest, with the time that trying again needs, but hardly more."""
        await self.quiet()
        for pause in (LONGEST_PAUSE, AGAIN_AFTER, LOGIN_AGAIN_AFTER):
            self.clock.advance(seconds=pause.total_seconds())
            await self.quiet()
        async with asyncio.timeout(PATIENCE):
            while any(running.busy for running in self.running):
                self.clock.advance(seconds=AGAIN_AFTER.total_seconds())
                await self.quiet()

    async def rest(self):
        """Heal everything, and let it come to rest; whoever may have two by a mishap presses Start once more."""
        if self._away:
            await self._away
        self.operator.logs_in = True
        for running in self.running:
            running.proxy.heal()
        self.clock.be_right()
        self.operator.look_around()
        await self.settle()
        excused = await self._mend()
        self.record.rests.append(Rest(await self.history.mark(), self.clock.now(), excused))

    async def _mend(self):
        """What a mishap left is mended by the user's next start; tell whose start was refused."""
        if not self.astray:
            return set()
        self.astray = False
        owners = await self.owners()
        twice = {owner for owner in owners if owners.count(owner) > 1}
        refused = set()
        for pool, user in twice:
            outcome = await self.start(self.running[0], a_user(user), pool)
            if not isinstance(outcome, Started):
                refused.add((pool, user))
        await self.settle()
        return refused

    async def owners(self):
        """Give whose the VMs are, as (pool, user)."""
        vms = [each.object for each in (await self.history.now("vms")).values() if each.object]
        held = [(vm.get("status") or {}).get("assignment") or {} for vm in vms]
        return [(each["pool"], each["user"]) for each in held if each.get("user")]

    def _going_on(self, version, there):
        """Tell what is not done, or not known everywhere."""
        for running in self.running:
            done = {task for task in running.presses if task.done()}
            for task in done:
                task.result()
            running.presses -= done
            if running.presses or not running.has_seen(version) or running.proxy.sending:
                return running.name, running.presses, running.broker.problem, running.seen, running.proxy.sending
        if self.operator.seen < there or not self.operator.idle:
            return "operator", self.operator.seen, self.operator.going_on
        return None


class LogText(logging.Handler):
    """Everything that was logged."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self._lines = []
        self.proxies = []

    def emit(self, record):
        self._lines.append(self.format(record))

    def text(self):
        return "\n".join(self._lines)

    @contextmanager
    def kept(self):
        root = logging.getLogger()
        level = root.level
        root.setLevel(logging.DEBUG)
        root.addHandler(self)
        try:
            yield
        finally:
            root.removeHandler(self)
            root.setLevel(level)
