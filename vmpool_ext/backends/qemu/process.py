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

from vmpool_ext.backends.qemu.command_line import option_value
from vmpool_ext.backends.qemu.places import Places

if TYPE_CHECKING:
    from collections.abc import Iterable


_NOT_BEGUN = 0
_ENVIRONMENT = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "QEMU_MODULE_DIR")
"""What QEMU's programs are told; the server's own environment has tokens in it."""

# A process that posix_spawn begins cannot be given these three otherwise. Nothing of a definition is in the words: the
# folder is $0, the program and its arguments are the rest. The folder is our own, because QEMU takes its firmware from the
# folder that it is in before it looks where it is installed; and there are passwords in what a core dump would hold.
_SHUT_IN = ("/bin/sh", "-c", 'umask 077 && ulimit -c 0 && cd "$0" && exec "$@"')
_STANDARD_FILES = 3

_LONGEST_WORDS = 256
_LONGEST_OUTPUT = 8192
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
        draft.touch(mode=0o600)
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
    """Give the path of a program, if it is there: good in any working directory."""
    found = shutil.which(program)
    return found and str(Path(found).absolute())


def environment() -> dict[str, str]:
    """Give what QEMU's programs are told of our environment."""
    return {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}


def spawn(argv: list[str], vm: str, places: Places, record: Path) -> int:
    """Start a program in a session of its own, note it, and give a descriptor of its process.

    Neither the end of our process nor a Ctrl-C at its terminal reaches it. It has no file of ours open, works in the
    directory of its sockets, makes files for its account only, and leaves no core dump.
    """
    files = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(places.output), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
        *((os.POSIX_SPAWN_CLOSE, file) for file in _open_files()),
    ]
    directory = str(places.directory)
    # Whoever is killed between beginning a process and noting which one it is leaves this: enough to look for it.
    Record(vm, _NOT_BEGUN, "", directory).write(record)
    # Not subprocess: its objects kill or bemoan what is still running when they go.
    command = [*_SHUT_IN, directory, *argv]
    pid = os.posix_spawn(command[0], command, environment(), file_actions=files, setsid=True)
    pidfd = os.pidfd_open(pid)
    with suppress(OSError):
        Record(vm, pid, _start_time(pid), directory).write(record)
    return pidfd


def find(record: Record) -> int | None:
    """Give a descriptor of the recorded process if it still runs that VM."""
    # A server's lock is held until what it has just begun is QEMU, or is no more: now it is there, if it ever will be.
    numbers = _all_processes() if record.pid == _NOT_BEGUN else [record.pid]
    return next((found for pid in numbers if (found := _open(pid, record)) is not None), None)


def last_words(output: Path) -> str:
    """Give the end of what QEMU said, on one line."""
    try:
        with output.open("rb") as file:
            file.seek(max(0, output.stat().st_size - _LONGEST_OUTPUT))
            text = file.read(_LONGEST_OUTPUT).decode(errors="replace")
    except OSError:
        return ""
    return " ".join(text.split())[-_LONGEST_WORDS:]


def _open_files() -> Iterable[int]:
    """Give those beyond the standard ones: what we were begun with may be open to every program that we begin."""
    return [number for file in Path("/proc/self/fd").iterdir() if (number := int(file.name)) >= _STANDARD_FILES]


def _all_processes() -> Iterable[int]:
    return [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]


def _open(pid: int, record: Record) -> int | None:
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return None
    # Looked at after it was opened: from here on its number cannot become another's.
    with suppress(OSError):
        if _owner(pid) == os.getuid() and record.started in ("", _start_time(pid)) and _runs(pid, record):
            return pidfd
    os.close(pidfd)
    return None


def _owner(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("\nUid:")[2].split()[0])


def _start_time(pid: int) -> str:
    stat = Path(f"/proc/{pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[_START_TIME_FIELD]


def _runs(pid: int, record: Record) -> bool:
    """Whether it is that VM's, and its monitor is where it should be."""
    arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    monitor = os.fsencode(f",path={option_value(Places(Path(record.directory)).qmp)},")
    is_guest = any(one.split(b",")[0] == b"guest=" + record.vm.encode() for one in arguments)
    return is_guest and any(monitor in one for one in arguments)


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
