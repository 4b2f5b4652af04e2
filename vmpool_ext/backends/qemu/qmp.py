"""QEMU's monitor: commands and events, over `qemu.qmp`."""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from qemu.qmp import EventListener, ExecuteError, QMPClient, QMPError, Runstate

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from qemu.qmp import Message

EVENTS = ("SHUTDOWN", "RESET", "STOP", "VNC_INITIALIZED", "VNC_DISCONNECTED")
_SAME_EACH_TIME = {"RESET", "STOP"}

_PATIENCE = 10
"""Seconds for the answer to a command."""

_RETRY_EVERY = 0.02

# The library logs every message, passwords too, and a traceback for every connection that fails.
_SILENT = logging.Logger("vmpool_ext.qmp", logging.CRITICAL + 1)  # noqa: LOG001  # under no other, whatever its level


_ADVICE = "Try again in a while; if that does not help, stop the VM and start it again."


class MonitorError(Exception):
    """QEMU does not answer, or refuses: in words that a user can be told."""


class _Events(EventListener):
    """As the library's, but without the history that it would keep for ever; and it can end."""

    def __init__(self) -> None:
        super().__init__(EVENTS)
        self._coming: asyncio.Queue[Message | None] = asyncio.Queue()
        self._untold: set[str] = set()

    async def put(self, event: Message) -> None:
        # A guest can reset itself faster than that can be written down: once is enough until somebody has heard it.
        if not self.accept(event) or event["event"] in self._untold:
            return
        if event["event"] in _SAME_EACH_TIME:
            self._untold.add(event["event"])
        self._coming.put_nowait(event)

    def end(self) -> None:
        """Nothing comes after what has come."""
        self._coming.put_nowait(None)

    async def next(self) -> Message | None:
        """Wait for the next event; None if there will be none."""
        event = await self._coming.get()
        if event is not None:
            self._untold.discard(event["event"])
        return event


class Qmp:
    """A connection to a monitor; QEMU serves one at a time."""

    def __init__(self, client: QMPClient, events: _Events) -> None:
        self._client = client
        self._events = events

    @classmethod
    async def connect(cls, path: Path, within: float) -> Qmp:
        """Connect as soon as there is somebody to connect to; `MonitorError` if that takes longer."""
        client = QMPClient()
        client.logger = _SILENT
        client.events.event_filter = lambda _: False
        events = _Events()
        client.register_listener(events)
        monitor = cls(client, events)
        try:
            async with asyncio.timeout(within):
                await client.connect(await connected_socket(path))
        except BaseException as error:
            await monitor.close()
            if isinstance(error, (OSError, QMPError)):
                message = f"The VM's monitor does not answer. {_ADVICE}"
                raise MonitorError(message) from error
            raise
        return monitor

    @property
    def version(self) -> str:
        """QEMU's own version."""
        greeting = self._client.greeting
        told: Any = greeting.QMP.version if greeting else {}
        number = told.get("qemu", {})
        return ".".join(str(number.get(part, 0)) for part in ("major", "minor", "micro"))

    async def execute(self, command: str, **arguments: Any) -> Any:
        """Have a command done and give its answer, or raise `MonitorError`; arguments are in no error and no log."""
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._client.execute(command, arguments)
        except (OSError, EOFError, QMPError) as error:
            # The cause may quote the command with its arguments.
            raise MonitorError(_words(command, error)) from (error if command != "set_password" else None)

    async def events(self) -> AsyncGenerator[Message, None]:
        """Give the events from the connecting on, until the connection ends."""
        ending = asyncio.create_task(self._end_events(), name="vmpool monitor")
        try:
            while (event := await self._events.next()) is not None:
                yield event
        finally:
            ending.cancel()
            await asyncio.wait({ending})

    async def close(self) -> None:
        """Disconnect; the errors of a connection that has ended are no news."""
        with suppress(OSError, EOFError, QMPError):
            await self._client.disconnect()

    async def _end_events(self) -> None:
        while self._client.runstate is Runstate.RUNNING:
            await self._client.runstate_changed()
        self._events.end()


def _words(command: str, error: Exception) -> str:
    match error:
        case TimeoutError():
            problem = f"The VM has not answered for {_PATIENCE:g} seconds: it is frozen, or this machine is overloaded."
        case ExecuteError():
            problem = f"QEMU refuses {command}."
        case _:
            problem = "The connection to the VM's monitor is lost; it is made anew."
    return f"{problem} {_ADVICE}"


async def connected_socket(path: Path) -> socket.socket:
    """Connect to a unix socket, waiting until it is there.

    The near end has a name of its own, so that QEMU's events tell the connections apart.
    """
    loop = asyncio.get_running_loop()
    while True:
        near = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            near.setblocking(False)  # noqa: FBT003  # its own name says it
            near.bind("")
            await loop.sock_connect(near, str(path))
        except (FileNotFoundError, ConnectionRefusedError, BlockingIOError):
            near.close()
            await asyncio.sleep(_RETRY_EVERY)
        except BaseException:
            near.close()
            raise
        else:
            return near
