"""The pools of the hub under test: one for the lab's group, one for the class, which has as many VMs as a test wants."""

from tests.builders import a_pool, a_vm
from vmpool_ext.backends.memory import MemoryBackend
from vmpool_ext.domain.permission import EVERY_PERMISSION, Grant


class HubPools(MemoryBackend):
    def __init__(self, clock, parent):
        lab, course = (Grant(EVERY_PERMISSION, role=role) for role in ("lab", "class"))
        super().__init__(
            clock,
            [a_pool("lab", grants=(lab,)), a_pool("shared", grants=(lab, course))],
            [a_vm("lab-1", pool="lab"), a_vm("shared-1", pool="shared")],
        )
