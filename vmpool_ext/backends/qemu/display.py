"""The display of a VM: bytes to and from QEMU's VNC server."""

from __future__ import annotations

import asyncio
import secrets
import string
from typing import TYPE_CHECKING

from vmpool_ext.backends.qemu.qmp import connected_socket
from vmpool_ext.backends.stream_display import StreamDisplay

if TYPE_CHECKING:
    from pathlib import Path

ENGINE = "vnc"
_PASSWORD_LENGTH = 8
"""Of a longer one, VNC would look at no more."""


def new_password() -> str:
    """Make a password that nobody can guess in the seconds that it is good for."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(_PASSWORD_LENGTH))


class VncDisplay(StreamDisplay):
    """The display of a QEMU of ours."""

    @classmethod
    async def connect(cls, path: Path, within: float) -> VncDisplay:
        """Connect to a running VM's display; `OSError` if it does not take the connection in time."""
        async with asyncio.timeout(within):
            near = await connected_socket(path)
        return cls(*await asyncio.open_unix_connection(sock=near))
