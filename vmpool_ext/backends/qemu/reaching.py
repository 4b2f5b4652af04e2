"""Reaches the store from a command: through the server that holds it, or by holding it for as long as that takes."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from vmpool_ext.backends.qemu import control
from vmpool_ext.backends.qemu.administration import BEING_DELETED, DELETED, Administration, done
from vmpool_ext.backends.qemu.chronicle import Chronicle
from vmpool_ext.backends.qemu.follower import Follower
from vmpool_ext.backends.qemu.holder import IN_USE
from vmpool_ext.backends.qemu.launcher import Launcher
from vmpool_ext.backends.qemu.ledger import Ledger
from vmpool_ext.backends.resources import VM_KIND
from vmpool_ext.domain.errors import BackendUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from vmpool_ext.backends.qemu.administration import Answer, Request
    from vmpool_ext.backends.qemu.launcher import Settings
    from vmpool_ext.broker.ports import Clock

_SERVING = "jupyter vmpool"
_RETRY_EVERY = 0.1
_PATIENCE = 10
"""Seconds: a server that begins or ends holds the store without listening, and so does another command."""


async def ask(request: Request, settings: Settings, clock: Clock) -> AsyncGenerator[Answer, None]:
    """Have a request done and tell of each resource; `VmPoolError` if it is refused or nobody can do it."""
    ledger = Ledger(settings.state_dir, _SERVING)
    try:
        answers = await _first(request, ledger, settings, clock)
        async with aclosing(answers):
            async for answer in answers:
                yield answer
    finally:
        await ledger.close()


async def _first(request: Request, ledger: Ledger, settings: Settings, clock: Clock) -> AsyncGenerator[Answer, None]:
    end = asyncio.get_running_loop().time() + _PATIENCE
    while True:
        try:
            await ledger.open()
        except BackendUnavailable as error:
            if error.code != IN_USE:
                raise
            try:
                return control.ask(await control.connect(settings.state_dir), request)
            except OSError:
                if asyncio.get_running_loop().time() > end:
                    raise error from None
            # What ends the wait is in another process.
            await asyncio.sleep(_RETRY_EVERY)
        else:
            return _here(request, ledger, settings, clock)


async def _here(request: Request, ledger: Ledger, settings: Settings, clock: Clock) -> AsyncGenerator[Answer, None]:
    wait = request.get("wait")
    going = []
    async with aclosing(Administration(ledger, clock).answer({**request, "wait": False})) as answers:
        async for answer in answers:
            yield answer
            if answer.get("done") == BEING_DELETED and wait:
                going.append(asyncio.create_task(_follow(answer["name"], ledger, settings, clock)))
    try:
        for each in asyncio.as_completed(going):
            yield done(VM_KIND, await each, DELETED)
    finally:
        for task in going:
            task.cancel()
        await asyncio.gather(*going, return_exceptions=True)


async def _follow(name: str, ledger: Ledger, settings: Settings, clock: Clock) -> str:
    """Shut the VM down, which may be on still, and remove it."""
    follower = Follower(name, ledger, Launcher(settings, ledger.get), Chronicle(name, ledger, clock), settings)
    try:
        await follower.follow()
    finally:
        await follower.let_go()
    return name
