"""One QEMU process: begun so that it outlives us, found again later, and its end noticed at once."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vmpool_ext.backends.qemu.places import Places

_LONGEST_WORDS = 256
_START_TIME_FIELD = 19
"""Of /proc/PID/stat, counted from behind the program's name: field 22."""


@dataclass(frozen=True, slots=True)
class Record:
    """Which process runs a VM: its number may be another's by now, its number and start time never are."""

    vm: str
    pid: int
    started: str
    directory: str
    """Where its sockets are: the setting may be another by now."""

    def write(self, path: Path) -> None:
        """Keep the record, whole or not at all."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(asdict(self)))
        draft.replace(path)

    @classmethod
    def read(cls, path: Path) -> Record | None:
        """Give the record that was kept, if any."""
        try:
            return cls(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            return None


class Process:
    """A live process, held by a descriptor that no other process can ever get."""

    def __init__(self, pidfd: int) -> None:
        self._pidfd = pidfd
        self._loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[str] = self._loop.create_future()
        """Done when the process has ended: with the words for how it did."""
        self._loop.add_reader(pidfd, self._note_end)

    def kill(self) -> None:
        """End the process by force."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def close(self) -> None:
        """Let go of the process; it lives on."""
        if self._pidfd >= 0:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1

    def _note_end(self) -> None:
        self._loop.remove_reader(self._pidfd)
        self.exited.set_result(_how_it_ended(self._pidfd))


# What follows is blocking.


def find_program(program: str) -> str | None:
    """Give the path of a program, if it is there."""
    return shutil.which(program)


def spawn(argv: list[str], vm: str, places: Places, record: Path) -> int:
    """Start a program in a session of its own, note it, and give a descriptor of its process.

    Neither the end of our process nor a Ctrl-C at its terminal reaches it.
    """
    files = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(places.output), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    # Not subprocess: its objects kill or bemoan what is still running when they go.
    pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=files, setsid=True)
    pidfd = os.pidfd_open(pid)
    try:
        Record(vm, pid, _start_time(pid), str(places.directory)).write(record)
    except OSError:
        # Nobody would find it again.
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
        os.close(pidfd)
        raise
    return pidfd


def find(record: Record) -> int | None:
    """Give a descriptor of the recorded process if it still runs that VM."""
    try:
        pidfd = os.pidfd_open(record.pid)
    except OSError:
        return None
    # Looked at after it was opened: from here on its number cannot become another's.
    with suppress(OSError):
        if _start_time(record.pid) == record.started and _is_guest(record.pid, record.vm):
            return pidfd
    os.close(pidfd)
    return None


def last_words(output: Path) -> str:
    """Give the end of what QEMU said, on one line."""
    try:
        text = output.read_text(errors="replace")
    except OSError:
        return ""
    return " ".join(text.split())[-_LONGEST_WORDS:]


def _start_time(pid: int) -> str:
    stat = Path(f"/proc/{pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[_START_TIME_FIELD]


def _is_guest(pid: int, vm: str) -> bool:
    arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return any(one.split(b",")[0] == b"guest=" + vm.encode() for one in arguments)


def _how_it_ended(pidfd: int) -> str:
    try:
        result = os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)
    except ChildProcessError:
        # Begun by an earlier server: its end is all that we see of it.
        result = None
    if result is None:
        return "QEMU ended"
    if result.si_code == os.CLD_EXITED:
        return f"QEMU ended with status {result.si_status}"
    names = {number.value: number.name for number in signal.Signals}
    return f"QEMU was ended by {names.get(result.si_status, f'signal {result.si_status}')}"
