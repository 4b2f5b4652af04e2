"""A backend whose machines and guests take as long as a test wants."""

import asyncio

from tests.builders import a_pool, a_vm
from vmpool_ext.backends.memory import MemoryBackend
from vmpool_ext.domain.errors import AgentFailed
from vmpool_ext.domain.machine import LOGIN_FAILED, Condition
from vmpool_ext.domain.permission import EVERY_PERMISSION, Grant

ANNS = (Grant(EVERY_PERMISSION, user="ann"),)
STRANGE = ("a b", 'say "hi"', "ü", "50%", "%2e%2e", "<b>bold</b>")
NEVER_STARTS = "held-1"


class PacedBackend(MemoryBackend):
    """Pools of Ann's: `demo`, `course` that logs in, `looking` with accessConsole only, `void`, `held` whose VM never starts."""

    words = None
    """What the guest's agent answers in place of logging somebody in."""

    def __init__(self, clock, parent):
        self.may_start = asyncio.Event()
        self.may_log_in = asyncio.Event()
        self.may_start.set()
        self.may_log_in.set()
        pools = [
            a_pool("demo", grants=ANNS),
            a_pool("course", grants=ANNS, login_on_assignment=True),
            a_pool("looking", may=["accessConsole"]),
            a_pool("void", grants=ANNS),
            a_pool("held", grants=ANNS),
            *(a_pool(name, grants=ANNS) for name in STRANGE),
        ]
        vms = [
            *(a_vm(f"{name}-{number}", pool=name) for name in ("demo", "course") for number in (1, 2)),
            a_vm("looking-1", pool="looking"),
            a_vm(NEVER_STARTS, pool="held"),
            a_vm("own-1", pool="nobodys", grants=ANNS),
            a_vm("spice-1", pool="nobodys", grants=ANNS, running=True, display="spice"),
        ]
        super().__init__(clock, pools, vms)

    async def log_in(self, vm, user):
        await self.may_log_in.wait()
        if self.words is None:
            return await super().log_in(vm, user)
        told = Condition(since=self._clock.now(), reason=LOGIN_FAILED, message=self.words)
        await self._write(vm, user_logged_in=told)
        raise AgentFailed(self.words)

    async def _follow(self, name):
        if name != NEVER_STARTS:
            await self.may_start.wait()
            await super()._follow(name)
