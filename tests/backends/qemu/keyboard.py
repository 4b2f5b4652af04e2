"""Typing at a VM's console as QEMU sees it: keys, not characters."""

import asyncio

_KEYS = {
    " ": "spc",
    "/": "slash",
    ">": "shift dot",
    "-": "minus",
    "\n": "ret",
    "S": "shift s",
    "~": "shift grave_accent",
}


async def type_into(backend, vm, text):
    """Press the keys of a US keyboard."""
    while (machine := backend._fleet.machine(vm)) is None:  # noqa: ASYNC110  # a server that begins looks for it
        await asyncio.sleep(0.01)
    for character in text:
        keys = [{"type": "qcode", "data": key} for key in _KEYS.get(character, character).split()]
        await machine.monitor.execute("send-key", keys=keys, **{"hold-time": 10})
        await asyncio.sleep(0.03)  # faster than a person, and not too fast for the guest
