"""A few pools and VMs for whoever asks as ann."""

from tests.builders import a_pool, a_vm
from vmpool_ext.backends.memory import MemoryBackend
from vmpool_ext.domain.permission import EVERY_PERMISSION, Grant

STRANGE = ("a b", 'say "hi"', "ü", "50%")


class SmallBackend(MemoryBackend):
    """A pool that ann may use wholly, one that only lets her look, one that is bob's, and some with strange names."""

    def __init__(self, clock, parent):
        anns = (Grant(EVERY_PERMISSION, user="ann"),)
        bobs = (Grant(EVERY_PERMISSION, user="bob"),)
        super().__init__(
            clock,
            [
                a_pool("demo", grants=anns),
                a_pool("looking", may=["accessConsole"]),
                a_pool("foreign", grants=bobs),
                a_pool("void", grants=anns),
                *(a_pool(name, grants=anns) for name in STRANGE),
            ],
            [
                a_vm("demo-1", pool="demo"),
                a_vm("demo-2", pool="demo"),
                a_vm("looking-1", pool="looking"),
                a_vm("own-1", pool="nobodys", grants=anns),
                a_vm("foreign-1", pool="nobodys", grants=bobs, running=True),
                a_vm("spice-1", pool="nobodys", grants=anns, running=True, display="spice"),
            ],
        )
