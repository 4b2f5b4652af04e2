"""What a guest says on its first serial port: heard while a server is there, and only the last of it kept.

QEMU drops what nobody hears, so that no guest can fill a disk, whether a server is there or not.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from vmpool_ext.backends.qemu.qmp import connected_socket

if TYPE_CHECKING:
    from pathlib import Path

    from vmpool_ext.backends.qemu.places import Places

LONGEST = 2**20
"""Bytes that the log may have."""
KEPT = 2**16
"""Bytes that are left of one that got longer."""

_AT_ONCE = 2**16


async def record(places: Places) -> None:
    """Write down what the guest says, from when there is somebody to hear until its machine ends."""
    with suppress(OSError):
        reader, writer = await asyncio.open_unix_connection(sock=await connected_socket(places.tty))
        try:
            while said := await reader.read(_AT_ONCE):
                await asyncio.to_thread(_write, places.serial, said)
        finally:
            writer.close()


def _write(log: Path, said: bytes) -> None:
    # What a full disk does not take is lost; to stop hearing would hold the guest up.
    with suppress(OSError):
        log.touch(mode=0o600)
        with log.open("ab") as file:
            file.write(said)
            length = file.tell()
        if length > LONGEST:
            _shorten(log, length)


def _shorten(log: Path, length: int) -> None:
    with log.open("rb") as file:
        file.seek(length - KEPT)
        last = file.read()
    draft = log.with_suffix(".new")
    draft.touch(mode=0o600)
    draft.write_bytes(last)
    draft.replace(log)
