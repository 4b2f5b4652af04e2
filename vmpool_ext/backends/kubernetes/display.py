"""A connection to the display of a VM: bytes to and from its SPICE server, straight or through a proxy."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from vmpool_ext.backends.stream_display import StreamDisplay
from vmpool_ext.domain.errors import BackendUnavailable

if TYPE_CHECKING:
    from vmpool_ext.domain.connection_file import DisplayAddress

_HEAD_END = b"\r\n\r\n"


class SpiceDisplay(StreamDisplay):
    """The display of one of VM-Operator's VMs."""

    @classmethod
    async def connect(cls, address: DisplayAddress, within: float) -> SpiceDisplay:
        """Connect; `BackendUnavailable` if nobody takes the connection in time."""
        try:
            async with asyncio.timeout(within):
                return cls(*await _connected(address))
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            message = "The VM's display does not take a connection. Try again in a while; else ask the administrator."
            raise BackendUnavailable(message, code="display-unreachable") from error


async def _connected(address: DisplayAddress) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if not address.proxy:
        return await asyncio.open_connection(address.host, address.port)
    proxy = urlsplit(address.proxy)
    tls = proxy.scheme == "https"
    reader, writer = await asyncio.open_connection(
        proxy.hostname, proxy.port or (443 if tls else 3128), ssl=tls or None
    )
    try:
        await _through(reader, writer, address)
    except BaseException:
        writer.close()
        raise
    return reader, writer


async def _through(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: DisplayAddress) -> None:
    """Have the proxy connect us (RFC 9110, CONNECT)."""
    host = f"[{address.host}]" if ":" in address.host else address.host
    target = f"{host}:{address.port}"
    writer.write(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode("ascii"))
    head = await reader.readuntil(_HEAD_END)
    _, _, status = head.split(b"\r\n", 1)[0].partition(b" ")
    if not status.startswith(b"2"):
        message = "the proxy refuses the connection"
        raise ConnectionError(message)
