"""Where a VM's sockets and files are: in a directory that only this user can enter, by short names."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from vmpool_ext.domain.errors import BackendUnavailable

_LONGEST_SOCKET = 107
"""Bytes that Linux takes as the path of a socket."""


@dataclass(frozen=True, slots=True)
class Places:
    """The files of one VM."""

    directory: Path

    @property
    def qmp(self) -> Path:
        """QEMU's monitor."""
        return self.directory / "qmp.sock"

    @property
    def agent(self) -> Path:
        """The guest's agent."""
        return self.directory / "agent.sock"

    @property
    def vnc(self) -> Path:
        """The display."""
        return self.directory / "vnc.sock"

    @property
    def tty(self) -> Path:
        """The guest's first serial port."""
        return self.directory / "tty.sock"

    @property
    def serial(self) -> Path:
        """What the guest's first serial port said last."""
        return self.directory / "serial.log"

    @property
    def output(self) -> Path:
        """What QEMU itself said."""
        return self.directory / "qemu.log"


def short_name(text: str) -> str:
    """Give a name of twelve characters for one of any length.

    >>> short_name("a-very-long-name." * 15)
    'd95b6fbad302'
    """
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def default_run_dir(state_dir: Path) -> Path:
    """Choose where the sockets of the VMs defined there are."""
    name = short_name(str(state_dir))
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    # Not under the state directory: homes are deep, and some are on file systems that have no sockets.
    return Path(runtime, f"vmpool-{name}") if runtime else Path(f"/tmp/vmpool-{os.getuid()}-{name}")  # noqa: S108  # checked below


def make_private(directory: Path) -> None:
    """Make a directory that only this user can enter, and what is missing above it; `OSError` if that cannot be."""
    # Whatever the umask: in one that others can write to they could put their own in its place.
    for missing in reversed([above for above in directory.parents if not above.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
    directory.mkdir(mode=0o700, exist_ok=True)


def prepare_run_dir(path: Path) -> None:
    """Make the directory, or raise `BackendUnavailable` if others could get at what is in it."""
    try:
        make_private(path)
        found = path.lstat()
    except OSError as error:
        message = f"The directory {path} for the VMs' sockets cannot be made: {error.strerror}."
        raise BackendUnavailable(message) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        message = f"Others can get into {path}: make it a directory of yours with mode 0700, or set another run_dir."
        raise BackendUnavailable(message)
    if len(os.fsencode(Places(path.absolute() / short_name("")).agent)) > _LONGEST_SOCKET:
        message = f"The path {path} is too long for sockets: set a shorter run_dir."
        raise BackendUnavailable(message)
