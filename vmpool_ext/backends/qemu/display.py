"""The display of a VM: bytes to and from QEMU's VNC server."""

from __future__ import annotations

import asyncio
import secrets
import string
from contextlib import suppress
from typing import TYPE_CHECKING

from vmpool_ext.backends.qemu.qmp import connected_socket

if TYPE_CHECKING:
    from pathlib import Path

ENGINE = "vnc"
_CHUNK = 65536
_PASSWORD_LENGTH = 8
"""Of a longer one, VNC would look at no more."""


def new_password() -> str:
    """Make a password that nobody can guess in the seconds that it is good for."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(_PASSWORD_LENGTH))


class VncDisplay:
    """Implements the port `Display`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, path: Path, within: float) -> VncDisplay:
        """Connect to a running VM's display; `OSError` if it does not take the connection in time."""
        async with asyncio.timeout(within):
            near = await connected_socket(path)
        return cls(*await asyncio.open_unix_connection(sock=near))

    async def read(self) -> bytes:
        """Wait for what the display says next; empty when it has ended."""
        try:
            return await self._reader.read(_CHUNK)
        except OSError:
            return b""

    async def write(self, data: bytes) -> None:
        """Send to the display; returns when it may take more."""
        with suppress(OSError):
            self._writer.write(data)
            await self._writer.drain()

    async def close(self) -> None:
        """Disconnect."""
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()
