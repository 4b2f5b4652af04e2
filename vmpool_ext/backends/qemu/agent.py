"""The guest agent's socket: its greeting tells that the guest is up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from vmpool_ext.backends.qemu.qmp import connected_socket

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

GREETING = 220


async def replies(path: Path) -> AsyncGenerator[int, None]:
    """Give the code of every line that the agent says, until QEMU hangs up.

    An agent greets whoever connects, and again after the guest was reset.
    """
    reader, writer = await asyncio.open_unix_connection(sock=await connected_socket(path))
    try:
        while line := await _line(reader):
            code = line[:3]
            if code.isdigit():
                yield int(code)
    except OSError:
        return
    finally:
        writer.close()


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readline()
    except ValueError:
        # Longer than any reply: a guest is not to be trusted with our memory. What came of it was dropped.
        return b"-\n"
