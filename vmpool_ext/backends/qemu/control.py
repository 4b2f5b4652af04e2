"""The socket by which commands reach the server that holds the store: requests and answers are lines of JSON.

It lies beside the store. Only processes of the same account are heard, and whatever they send, the server goes on.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import struct
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any

from vmpool_ext.domain.errors import BackendUnavailable, InvalidDefinition, VmPoolError

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    Connection = tuple[StreamReader, StreamWriter]

_log = logging.getLogger(__name__)

LONGEST_LINE = 16 * 2**20
"""Bytes of a request or an answer."""

_MOST_CONNECTIONS = 32
_NAME = "control.sock"
_CREDENTIALS = struct.Struct("3i")
_TOO_LONG = f"That is more than {LONGEST_LINE // 2**20} MiB at once: apply some of the files after the others."
_FAILED = "The server could not do it, because of an error in it; its log has more."
_BROKEN_OFF = "The server ended before it had answered. See with `jupyter vmpool get` what was done."


class Control:
    """Listens while the store is held."""

    def __init__(
        self, answer: Callable[[Any], AsyncGenerator[Any, None]], *, account: int | None = None, patience: float = 30
    ) -> None:
        self._answer = answer
        self._account = os.geteuid() if account is None else account
        self._patience = patience
        self._serving: set[asyncio.Task[Any]] = set()
        self._directory: int | None = None
        self._server: asyncio.Server | None = None

    async def open(self, directory: Path) -> None:
        """Begin to listen; where that cannot be, commands are told to wait until the server has ended."""
        making = asyncio.ensure_future(asyncio.to_thread(_listening, directory))
        try:
            self._directory, listening = await asyncio.shield(making)
        except asyncio.CancelledError:
            # Whoever is cancelled meanwhile goes when it is made, and holds nothing of it.
            await asyncio.wait({making})
            if making.exception() is None:
                _let_go(*making.result())
            raise
        except OSError as error:
            _log.warning("jupyter vmpool cannot reach this server: no socket in %s: %s", directory, error.strerror)
            return
        self._server = await asyncio.start_unix_server(self._accept, sock=listening, limit=LONGEST_LINE)

    async def close(self) -> None:
        """End every connection, and listen no more."""
        if self._server is None or self._directory is None:
            return
        self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await asyncio.to_thread(_clear, self._directory)
        os.close(self._directory)
        self._server = self._directory = None

    async def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task  # noqa: S101  # a coroutine runs in one
        self._serving.add(task)
        try:
            await self._serve(reader, writer)
            writer.close()
            async with asyncio.timeout(self._patience):
                await writer.wait_closed()
        except OSError as error:
            _log.info("a command was not waited for: %s", str(error) or "it took too long")
        except asyncio.CancelledError:
            _log.debug("a command was not waited for: the server ends")
        finally:
            self._serving.discard(task)
            writer.transport.abort()

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        if _account_of(writer) != self._account or len(self._serving) > _MOST_CONNECTIONS:
            _log.warning("a command was not heard: it is another account's, or there are too many at once")
            return
        async with asyncio.timeout(self._patience):
            line = await _read_line(reader)
        replying = asyncio.create_task(self._reply(line, writer))
        # Whoever has gone waits for nothing any more.
        leaving = asyncio.create_task(reader.read(1))
        try:
            await asyncio.wait({replying, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            replying.cancel()
            leaving.cancel()
            await asyncio.gather(replying, leaving, return_exceptions=True)

    async def _reply(self, line: bytes | None, writer: StreamWriter) -> None:
        try:
            async with aclosing(self._answer(_parsed(line))) as items:
                async for item in items:
                    await self._send(writer, {"item": item})
            last: dict[str, Any] = {"end": True}
        except OSError:
            return
        except VmPoolError as error:
            last = {"error": {"code": error.code, "message": str(error)}}
        except Exception:  # noqa: BLE001  # whatever it is, the server goes on
            _log.exception("a command failed")
            last = {"error": {"code": VmPoolError.code, "message": _FAILED}}
        with suppress(OSError):
            await self._send(writer, last)

    async def _send(self, writer: StreamWriter, message: dict[str, Any]) -> None:
        writer.write(json.dumps(message).encode() + b"\n")
        async with asyncio.timeout(self._patience):
            await writer.drain()


class ToldByServer(VmPoolError):
    """A refusal in the words of the server that holds the store."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


async def connect(directory: Path) -> Connection:
    """Reach the server that holds the store there; `OSError` if none listens."""
    place = await asyncio.to_thread(os.open, directory, os.O_PATH | os.O_CLOEXEC)
    try:
        return await asyncio.open_unix_connection(_path(place), limit=LONGEST_LINE)
    finally:
        os.close(place)


async def ask(connection: Connection, request: Any) -> AsyncGenerator[Any, None]:
    """Send the one request of a connection, and give the items of its answer."""
    reader, writer = connection
    try:
        writer.write(_request_line(request))
        while reply := await _reply_line(reader):
            if "item" not in reply:
                break
            yield reply["item"]
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    if not reply:
        raise BackendUnavailable(_BROKEN_OFF)
    if error := reply.get("error"):
        raise ToldByServer(error["code"], error["message"])


def _request_line(request: Any) -> bytes:
    line = json.dumps(request).encode() + b"\n"
    if len(line) > LONGEST_LINE:
        raise InvalidDefinition(_TOO_LONG)
    return line


async def _reply_line(reader: StreamReader) -> dict[str, Any] | None:
    """Give what the server says next; None if it says no more."""
    try:
        reply: dict[str, Any] = json.loads(await reader.readline())
    except (OSError, ValueError):
        return None
    return reply


def _listening(directory: Path) -> tuple[int, socket.socket]:
    """Make the socket, in place of one that a killed server left: who holds the store is told by its lock."""
    place = os.open(directory, os.O_PATH | os.O_CLOEXEC)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _clear(place)
        listening.bind(_path(place))
        # Before it listens: nobody can be in yet.
        os.chmod(_NAME, 0o600, dir_fd=place)
    except OSError:
        listening.close()
        os.close(place)
        raise
    return place, listening


def _let_go(place: int, listening: socket.socket) -> None:
    listening.close()
    os.close(place)


def _clear(place: int) -> None:
    with suppress(FileNotFoundError):
        os.unlink(_NAME, dir_fd=place)


def _path(place: int) -> str:
    """Name the socket by its open folder: a socket's path has 107 bytes at most, and homes are deep."""
    return f"/proc/self/fd/{place}/{_NAME}"


def _account_of(writer: StreamWriter) -> int:
    """Tell who is at the other end, as the kernel knows it."""
    peer: socket.socket = writer.get_extra_info("socket")
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(credentials)[1])


async def _read_line(reader: StreamReader) -> bytes | None:
    """Give a line, or None if it does not end in time."""
    try:
        return await reader.readline()
    except ValueError:
        return None


def _parsed(line: bytes | None) -> Any:
    if line is None:
        raise InvalidDefinition(_TOO_LONG)
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        message = "The request is not JSON."
        raise InvalidDefinition(message) from error
