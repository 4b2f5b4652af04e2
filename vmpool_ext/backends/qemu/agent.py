"""The guest agent's socket: its greeting tells that the guest is up."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

from vmpool_ext.backends.qemu.conversation import Reply
from vmpool_ext.backends.qemu.qmp import MonitorError, connected_socket

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from pathlib import Path

    from vmpool_ext.backends.qemu.conversation import Conversation
    from vmpool_ext.backends.qemu.machine import Machine

_CALL_AGAIN_AFTER = 1

_SILENCE_AT_FIRST = 1
_LONGEST_SILENCE = 30
"""Seconds that an agent which is there may take to greet; each time it gets twice as long as before."""

_HANGS_UP_WITHIN = 10
_LOOK_EVERY = 0.1


class Caller:
    """Keeps a line to a machine's agent, and calls anew where one is there that does not greet.

    A guest may miss that a server hung up if the next one calls at once: its agent goes on waiting for commands, and
    greets nobody. Nothing that we could say would make it speak: VM-Operator's agent ignores all but ``login`` and
    ``logout``. So we hang up until the guest has hung up too. Only before the greeting: that agent ends the
    session of whoever is logged in when its line is closed.
    """

    def __init__(self, machine: Machine, greeted: asyncio.Event, heard: Callable[[Reply], Awaitable[None]]) -> None:
        self._machine = machine
        self._greeted = greeted
        self._heard = heard

    async def call(self) -> None:
        """Hand on what the agent says, for ever."""
        silence: float = _SILENCE_AT_FIRST
        while True:
            await self._call_once(silence)
            await self._until_hung_up()
            await asyncio.sleep(_CALL_AGAIN_AFTER)
            silence = min(2 * silence, _LONGEST_SILENCE)

    async def _call_once(self, silence: float) -> None:
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(self._listen())
            while not self._greeted.is_set() and not listening.done():
                if await self._is_in_vain(listening, silence):
                    listening.cancel()
                    return
                silence = min(2 * silence, _LONGEST_SILENCE)

    async def _is_in_vain(self, listening: asyncio.Task[None], silence: float) -> bool:
        """Wait; then tell whether an agent was there all the time and has not greeted."""
        was_there = await self._is_there()
        await asyncio.wait({listening}, timeout=silence)
        return was_there and not self._greeted.is_set() and await self._is_there()

    async def _listen(self) -> None:
        async with aclosing(replies(self._machine.places.agent, self._machine.agent)) as heard:
            async for reply in heard:
                await self._heard(reply)

    async def _until_hung_up(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_HANGS_UP_WITHIN):
                while await self._is_there():  # noqa: ASYNC110  # what ends the wait is in the guest
                    await asyncio.sleep(_LOOK_EVERY)

    async def _is_there(self) -> bool:
        try:
            return await self._machine.has_agent()
        except MonitorError:
            return False


async def replies(path: Path, conversation: Conversation) -> AsyncGenerator[Reply, None]:
    """Give every reply of the agent's, until QEMU hangs up.

    An agent greets whoever connects, and again after the guest was reset.
    """
    try:
        reader, writer = await asyncio.open_unix_connection(sock=await connected_socket(path))
    except OSError:
        return
    conversation.begin(writer)
    try:
        while line := await _line(reader):
            if reply := Reply.of(line):
                conversation.hear(reply)
                yield reply
    except OSError:
        return
    finally:
        conversation.end()
        writer.close()


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readline()
    except ValueError:
        # Longer than any reply: a guest is not to be trusted with our memory. What came of it was dropped.
        return b"-\n"
