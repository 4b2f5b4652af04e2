"""Who holds a store: one server at a time, told by a lock that ends with its process."""

from __future__ import annotations

import fcntl
import json
import os
import platform
from contextlib import suppress
from typing import TYPE_CHECKING

from vmpool_ext.domain.errors import BackendUnavailable

if TYPE_CHECKING:
    from pathlib import Path

IN_USE = "store-in-use"


class Holder:
    """A lock file beside the store; blocking, but never for long."""

    def __init__(self, path: Path, serving: str) -> None:
        self._path = path
        self._serving = serving
        self._file: int | None = None

    def take(self) -> None:
        """Hold the store, or raise `BackendUnavailable` with the name of who does."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BackendUnavailable(self._who(file), code=IN_USE) from error
        except OSError as error:
            message = f"The lock {self._path} cannot be taken: {error.strerror}. Keep the store on a local disk."
            raise BackendUnavailable(message) from error
        else:
            self._file, file = file, -1
            self._sign(self._file)
        finally:
            if file >= 0:
                os.close(file)

    def let_go(self) -> None:
        """Let the next one have it."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _sign(self, file: int) -> None:
        name = {"pid": os.getpid(), "host": platform.node(), "serving": self._serving}
        # On a full disk the lock holds all the same: the next one is told less.
        with suppress(OSError):
            os.ftruncate(file, 0)
            os.pwrite(file, json.dumps(name).encode(), 0)

    def _who(self, file: int) -> str:
        try:
            who = json.loads(os.pread(file, 4096, 0))
            holder = f"process {who['pid']} on {who['host']} ({who['serving']})"
        except (ValueError, KeyError, TypeError):
            holder = "another process"
        return (
            f"The VMs in {self._path.parent} are served by {holder}. Use that one, or end it: this one then takes over."
        )
