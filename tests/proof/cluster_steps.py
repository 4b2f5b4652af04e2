"""What may happen to brokers on an API server: drawn by numbers from a seed."""

import random
from collections import Counter
from contextlib import suppress

from tests.builders import a_user
from tests.cluster.definitions import a_pool, a_vm
from tests.cluster.proxy import Answered, Silence
from tests.cluster.requests import RequestFailed
from tests.proof.displayed import LOST

NAMES = ("ann", "bob", "carol")
USERS = {name: a_user(name) for name in NAMES}
POOLS = ("win", "lab")
VMS = {"vm1": ["win"], "vm2": ["win", "lab"], "vm3": ["lab"], "vm4": ["win"]}
GRANTS = [
    *[[{"user": name, "may": ["*"]} for name in NAMES]] * 3,
    [{"user": "ann", "may": ["*"]}, {"user": "bob", "may": ["accessConsole"]}],
    [{"user": "ann", "may": ["start", "reset"]}, {"user": "bob", "may": ["*"]}, {"user": "carol", "may": ["*"]}],
]
SPANS = [10, 299, 300, 3599, 3600, 7200]
FAULTS = [
    lambda: Answered(429, retry_after=0),
    lambda: Answered(500),
    lambda: Answered(503, retry_after=0),
    lambda: Answered(500, after=True),
    lambda: Answered(502, after=True),
    Silence,
    lambda: Silence(after=True),
]
PLACES = [("PATCH", "/status"), ("PATCH", "/vms/"), ("GET", "/vms/"), ("GET", "watch=1"), ("PATCH", "/secrets/")]
TOO_OLD = b'{"type":"ERROR","object":{"kind":"Status","code":410,"message":"too old resource version"}}\n'
PRESSED = {"start": 22, "tabs": 4, "act": 14, "work": 14, "look": 6, "look_away": 6, "time_passes": 5}
PRESSED |= {"clock_jumps": 1, "clock_is_right": 2}
HARMLESS = PRESSED | {"change_pool": 3, "delete_pool": 1, "come_or_go": 2, "touch": 4, "cut": 3}
MISHAPS = {"fault": 10, "meddle": 4, "kill": 2, "agent": 1}
ASKED_AT_REST = "ask_at_rest"


class Steps:
    """Takes one step after the other; which it is, is drawn."""

    def __init__(self, world, seed):
        self._world = world
        self._draw = random.Random(seed)  # noqa: S311  # to be repeated is what it is for
        self._copies = []
        self._away = None
        self.made = 0
        self.of = Counter()

    async def begin(self, brokers):
        await self._define("win", retention="PT1h", permissions=GRANTS[0])
        await self._define("lab", retention="PT2H", permissions=GRANTS[0], loginOnAssignment=True)
        for name, of in VMS.items():
            await self._world.namespace.post("vms", a_vm(name, pools=of))
        for _ in range(brokers):
            await self._world.start_broker()
        await self._world.rest()

    async def round(self, steps, away=None):
        """Take so many steps, and come to rest; some rounds are without mishaps, so that nothing has an excuse.

        Where a cluster is to be away for a while, it begins to be so in the middle.
        """
        kinds = HARMLESS | MISHAPS if away or self._draw.random() < 0.6 else HARMLESS
        for number in range(steps):
            if away and number == steps // 2:
                self._away = self._world.goes_away(away)
            usual = self._away is None or self._away.done()
            await self._step(kinds if usual else PRESSED)
        await self._world.rest()
        await self._step({ASKED_AT_REST: 1})

    async def _step(self, kinds):
        [kind] = self._draw.choices(list(kinds), list(kinds.values()))
        self.made += 1
        self.of[kind] += 1
        with suppress(RequestFailed, *LOST):
            await getattr(self, kind)()
        await self._go_on()

    async def _go_on(self):
        """Let things go on for a while, or be pressed at once."""
        pressing = [task for running in self._world.running for task in running.presses if not task.done()]
        if len(pressing) > 12 or self._draw.random() < 0.1:
            await self._world.some_of(pressing)
        else:
            await self._world.go_on(self._draw.choice([0, 0, 1, 5, 20]))

    # What people press.

    async def start(self):
        self._world.start(self._broker(), self._user(), self._pool())

    async def tabs(self):
        """Start in a tab of each broker at once."""
        user, pool = self._user(), self._pool()
        for running in self._world.running:
            self._world.start(running, user, pool)

    async def act(self):
        what, user, pool = self._draw.choice(["stop", "reset", "release", "release"]), self._user(), self._pool()
        self._world.press(self._broker(), what, user, pool, lambda broker: getattr(broker, what)(user, pool))

    async def look(self):
        self._world.console(self._broker(), self._user(), self._pool())

    async def work(self):
        """Start, and open the console as soon as that is to be had."""
        self._world.work(self._broker(), self._user(), self._pool())

    async def look_away(self):
        if viewed := self._world.operator.viewed():
            self._world.operator.look_away(self._draw.choice(viewed))

    async def ask_at_rest(self):
        await self._world.start(self._broker(), self._user(), self._pool(), at_rest=True)

    async def time_passes(self):
        self._world.clock.advance(seconds=self._draw.choice(SPANS))

    # What happens behind the brokers' backs.

    async def change_pool(self):
        spec = {
            "retention": self._draw.choice(["PT0S", "PT1h", "PT2H"]),
            "permissions": self._draw.choice(GRANTS),
            "loginOnAssignment": self._draw.random() < 0.5,
        }
        await self._define("lab", **spec)

    async def delete_pool(self):
        await self._world.namespace.delete("vmpools", "lab")

    async def come_or_go(self):
        name = self._draw.choice(sorted(VMS))
        if self._draw.random() < 0.3:
            await self._world.namespace.delete("vms", name)
        else:
            await self._world.namespace.post("vms", a_vm(name, pools=VMS[name]))

    async def touch(self):
        note = {"metadata": {"annotations": {"example.org/touched": str(self.made)}}}
        await self._world.namespace.merge("vms", self._draw.choice(sorted(VMS)), note)

    async def meddle(self):
        """Copy a status, and write it later without a look: as VM-Operator's manager does."""
        self._world.astray = True
        name = self._draw.choice(sorted(VMS))
        if not self._copies or self._draw.random() < 0.5:
            self._copies.append((name, (await self._world.namespace.get("vms", name))["status"]))
        else:
            name, status = self._copies.pop(self._draw.randrange(len(self._copies)))
            await self._world.write_carelessly(name, status)

    # Mishaps.

    async def fault(self):
        self._world.astray = True
        method, part = self._draw.choice(PLACES)
        self._broker().proxy.next(
            method, part, *[self._draw.choice(FAULTS)() for _ in range(self._draw.choice([1, 1, 2]))]
        )

    async def cut(self):
        proxy = self._broker().proxy
        if self._draw.random() < 0.2:
            proxy.say_in_streams(TOO_OLD)
        else:
            proxy.cut_streams(in_mid_event=self._draw.random() < 0.6)

    async def kill(self):
        self._world.astray = True
        await self._world.kill(self._broker())
        await self._world.start_broker()

    async def agent(self):
        self._world.operator.logs_in = False

    async def clock_jumps(self):
        self._world.clock.jump()

    async def clock_is_right(self):
        self._world.clock.be_right()

    # Inside.

    async def _define(self, name, **spec):
        with suppress(RequestFailed):
            await self._world.namespace.merge("vmpools", name, {"spec": spec})
            return
        await self._world.namespace.post("vmpools", a_pool(name, **spec))

    def _user(self):
        return USERS[self._draw.choice(NAMES)]

    def _pool(self):
        return self._draw.choice(POOLS)

    def _broker(self):
        return self._draw.choice(self._world.running)
