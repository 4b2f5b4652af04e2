"""Resources by kind and name in SQLite: every write takes the next version, and can be made on condition.

Blocking: only the ledger's thread calls it.
"""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmpool_ext.domain.errors import AssignmentConflict, BackendUnavailable, InvalidDefinition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from vmpool_ext.backends.resources import Resource

    Change = Callable[[Resource | None], Resource]
    ChangeOrRemoval = Callable[[Resource | None], Resource | None]

_FORMAT = 1
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_LONGEST_NAME = 253
_PRIMARY = 0xFF
"""The part of SQLite's error codes that tells the kind."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS resources (
    kind TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counter (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL);
INSERT OR IGNORE INTO counter VALUES (1, 0);
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """A resource as of its version; None if it was deleted then."""

    kind: str
    name: str
    version: int
    resource: Resource | None


@dataclass(frozen=True, slots=True)
class Everything:
    """All resources, as of this version."""

    resources: tuple[Stored, ...]
    version: int


def check_name(name: object) -> str:
    """Give the name back, or refuse it: names are those that Kubernetes would take.

    >>> check_name("win11.lab-2")
    'win11.lab-2'
    >>> check_name("x,file=/etc/shadow")
    Traceback (most recent call last):
    vmpool_ext.domain.errors.InvalidDefinition: "x,file=/etc/shadow" cannot be a name: use lower-case letters, digits, dots and dashes.
    """
    if isinstance(name, str) and len(name) <= _LONGEST_NAME and _NAME.fullmatch(name):
        return name
    message = f'"{str(name)[:64]}" cannot be a name: use lower-case letters, digits, dots and dashes.'
    raise InvalidDefinition(message)


class Store:
    """One database file; belongs to the thread that opens it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._telling():
            # Transactions are begun by hand: Python's own begin them late, after the reading that they must cover.
            _keep_private(path)
            self._database = sqlite3.connect(path, isolation_level=None, timeout=2)
            self._prepare()

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def everything(self) -> Everything:
        """Give all that there is."""
        with self._telling():
            rows = self._database.execute("SELECT kind, name, version, body FROM resources ORDER BY kind, name")
            resources = tuple(Stored(kind, name, version, json.loads(body)) for kind, name, version, body in rows)
            return Everything(resources, self._version())

    def get(self, kind: str, name: str) -> Stored | None:
        """Give one resource, or None."""
        with self._telling():
            query = "SELECT version, body FROM resources WHERE kind = ? AND name = ?"
            row = self._database.execute(query, (kind, name)).fetchone()
            return Stored(kind, name, row[0], json.loads(row[1])) if row else None

    def write(self, kind: str, name: str, change: Change, if_version: int | None = None) -> Stored:
        """Change a resource, or make it, in one transaction; what leaves it as it was takes no version.

        With a version: only if the resource is still of that version, else `AssignmentConflict`.
        """
        with self._telling(), self._transaction():
            old = self.get(kind, check_name(name))
            _require(old, name, if_version)
            resource = change(old.resource if old else None)
            if old is not None and resource == old.resource:
                return old
            written = Stored(kind, name, self._next_version(), resource)
            query = "INSERT OR REPLACE INTO resources VALUES (?, ?, ?, ?)"
            self._database.execute(query, (kind, name, written.version, json.dumps(resource)))
            return written

    def write_all(self, changes: Iterable[tuple[str, str, ChangeOrRemoval]]) -> list[Stored]:
        """Change several resources, make or remove them, in one transaction; give what was written.

        A change that gives None removes; what raises in one leaves all as they were.
        """
        with self._telling(), self._transaction():
            return [stored for change in changes if (stored := self._write_one(*change))]

    def delete(self, kind: str, name: str, if_version: int | None = None) -> Stored | None:
        """Remove a resource; None if there was none. With a version: only if it is still of that, as for `write`."""
        with self._telling(), self._transaction():
            _require(self.get(kind, name), name, if_version)
            query = "DELETE FROM resources WHERE kind = ? AND name = ?"
            if not self._database.execute(query, (kind, name)).rowcount:
                return None
            return Stored(kind, name, self._next_version(), None)

    def _write_one(self, kind: str, name: str, change: ChangeOrRemoval) -> Stored | None:
        old = self.get(kind, check_name(name))
        before = old.resource if old else None
        resource = change(before)
        if resource == before:
            return None
        written = Stored(kind, name, self._next_version(), resource)
        if resource is None:
            self._database.execute("DELETE FROM resources WHERE kind = ? AND name = ?", (kind, name))
        else:
            row = (kind, name, written.version, json.dumps(resource))
            self._database.execute("INSERT OR REPLACE INTO resources VALUES (?, ?, ?, ?)", row)
        return written

    def _prepare(self) -> None:
        found = self._database.execute("PRAGMA user_version").fetchone()[0]
        if found > _FORMAT:
            message = f"The store {self._path} was written by a newer version of vmpool-ext: install that one."
            raise BackendUnavailable(message)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        # What is there already is not written again: while the disk is full, or another has it locked, it can be read.
        if found < _FORMAT:
            self._database.executescript(_SCHEMA)
            self._database.execute(f"PRAGMA user_version = {_FORMAT}")

    def _version(self) -> int:
        return int(self._database.execute("SELECT version FROM counter").fetchone()[0])

    def _next_version(self) -> int:
        self._database.execute("UPDATE counter SET version = version + 1")
        return self._version()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            # A full disk ends the transaction by itself.
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise BackendUnavailable(_words(self._path, error)) from error


def _words(path: Path, error: sqlite3.Error) -> str:
    """Tell what happened and what to do."""
    match getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY:
        case sqlite3.SQLITE_BUSY:
            advice = "Another program, such as a backup, has it locked: end that one, or wait until it is done."
        case sqlite3.SQLITE_FULL:
            advice = f"Free space on {path.parent}."
        case sqlite3.SQLITE_IOERR:
            advice = f"Check the disk of {path.parent}, and whether there is space on it."
        case _:
            advice = "Check its disk and its permissions."
    return f"The store {path} cannot be used: {error}. {advice} It goes on by itself then."


def _keep_private(path: Path) -> None:
    """Have the file there, for its owner only: definitions hold what guests are set up with, passwords among it."""
    # SQLite gives the files beside it the same mode. What others own is theirs to close.
    with suppress(OSError):
        path.touch(mode=0o600)
        path.chmod(0o600)


def _require(old: Stored | None, name: str, version: int | None) -> None:
    if version is not None and (old is None or old.version != version):
        raise AssignmentConflict(name)
