"""A Jupyter Server with the extension, in a process of its own, and what talks to it."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.fields import ROLE, MemoryField
from vmpool_ext.backends.memory import MemoryBackend

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmpool_ext.broker.ports import Clock
    from vmpool_ext.domain.machine import VirtualMachine

PATIENCE = 120
"""Seconds that the server has to come up."""
MEMORY = f"{__name__}.WatchedMemory"
SQLITE = "benchmarks.fields.Unfollowed"
_ROOT = Path(__file__).parents[1]
_URL = re.compile(r"http://127\.0\.0\.1:(\d+)/")
_VMS, _POOLS, _WRITES = "VMPOOL_BENCH_VMS", "VMPOOL_BENCH_POOLS", "VMPOOL_BENCH_WRITES"


class WatchedMemory(MemoryBackend):
    """As many VMs in as many pools as the environment says; it notes when each write was made."""

    def __init__(self, clock: Clock, parent: object) -> None:  # noqa: ARG002  # as the extension makes it
        self._writes = os.open(os.environ[_WRITES], os.O_WRONLY | os.O_APPEND)
        field = MemoryField(int(os.environ[_VMS]), int(os.environ[_POOLS]))
        super().__init__(clock, field.pools, field.vms)

    def put_vm(self, vm: VirtualMachine) -> VirtualMachine:
        """Look at the time before anybody is told."""
        now = time.time_ns()
        put = super().put_vm(vm)
        os.write(self._writes, b"%d\n" % now)
        return put


class Server:
    """Where it is, and what lets in."""

    def __init__(self, home: Path, port: int, token: str) -> None:
        self.port, self.token = port, token
        self._home = home

    @property
    def writes(self) -> list[int]:
        """When its memory was written to, in nanoseconds since 1970."""
        return [int(line) for line in (self._home / "writes").read_text(encoding="ascii").split()]


@contextmanager
def a_server(program: str, backend: str, *options: str, vms: int, pools: int) -> Iterator[Server]:
    """Give a server that has begun to listen: `jupyter_server`, or `jupyterlab` with its pages."""
    with TemporaryDirectory(prefix="vmp-") as name:
        home, token = Path(name), secrets.token_hex()
        (home / "writes").touch()
        command = [
            sys.executable, "-m", program, "--no-browser", "--allow-root", "--ServerApp.port=0",
            "--ServerApp.ip=127.0.0.1", f"--ServerApp.root_dir={home}", "--ServerApp.answer_yes=True",
            "--ServerApp.jpserver_extensions=vmpool_ext=True", f"--VmPoolExtension.backend_class={backend}",
            "--VmPoolExtension.user=user0", f"--VmPoolExtension.roles={ROLE}", *options,
        ]  # fmt: skip
        places = {"HOME": name, "PYTHONPATH": str(_ROOT), "JUPYTER_TOKEN": token, _WRITES: str(home / "writes")}
        environment = {**os.environ, **places, _VMS: str(vms), _POOLS: str(pools)}
        with (home / "log").open("w") as log:
            process = subprocess.Popen(  # noqa: S603  # our own command
                command, env=environment, cwd=home, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            yield Server(home, _port(process, home / "log"), token)
        finally:
            process.terminate()
            process.wait(PATIENCE)


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    """Wait until it says where it listens."""
    end = time.monotonic() + PATIENCE
    while not (found := _URL.search(text := log.read_text(encoding="utf-8"))):
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(text)
        time.sleep(0.1)
    return int(found[1])


class Client:
    """One connection that is kept open, and nothing that would take time itself."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str) -> None:
        self._reader, self._writer, self._token = reader, writer, token

    @classmethod
    async def connected(cls, server: Server) -> Client:
        """Connect, as soon as the server listens: it says where a moment before."""
        while True:
            try:
                return cls(*await asyncio.open_connection("127.0.0.1", server.port), server.token)
            except ConnectionRefusedError:
                await asyncio.sleep(0.05)

    def close(self) -> None:
        """Hang up."""
        self._writer.close()

    async def ask(self, method: str, path: str) -> None:
        """Send a request and read its answer, which has to be a good one."""
        self._writer.write(
            f"{method} /vmpool/api/v1/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: token {self._token}\r\nContent-Length: 0\r\n\r\n".encode()
        )
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"(?i)content-length: (\d+)", head)
        body = await self._reader.readexactly(int(length[1]) if length else 0)
        if not head.startswith("HTTP/1.1 20"):
            raise RuntimeError(head + body.decode())
