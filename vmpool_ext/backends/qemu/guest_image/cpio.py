"""Write archives that Linux unpacks as its first file system (cpio, "newc"): no root needed to make root's files and devices."""

from __future__ import annotations

import stat
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MAGIC = b"070701"
_ALIGNMENT = 4
_LARGEST = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in the archive, owned by root; ``path`` is relative to the root of the file system."""

    path: str
    mode: int
    content: bytes = b""
    device: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        """Refuse what would end up elsewhere than it says, or not fit its header."""
        path = PurePosixPath(self.path)
        if str(path) != self.path or path.is_absolute() or ".." in path.parts or "\0" in self.path or self.path == ".":
            message = f"{self.path!r} is not a path inside the archive."
            raise ValueError(message)
        if len(self.content) > _LARGEST:
            message = f"{self.path!r} is too large for the archive."
            raise ValueError(message)


def directory(path: str, permissions: int = 0o755) -> Entry:
    """A directory; those that lead to an entry need not be named."""
    return Entry(path, stat.S_IFDIR | permissions)


def file(path: str, content: bytes, *, executable: bool = False) -> Entry:
    """A file that everybody may read."""
    return Entry(path, stat.S_IFREG | (0o755 if executable else 0o644), content)


def symlink(path: str, target: str) -> Entry:
    """A link to the target, which need not exist."""
    return Entry(path, stat.S_IFLNK | 0o777, target.encode())


def character_device(path: str, major: int, minor: int, permissions: int = 0o600) -> Entry:
    """A device node."""
    return Entry(path, stat.S_IFCHR | permissions, device=(major, minor))


def pack(entries: Iterable[Entry]) -> bytes:
    """Give the archive; the same entries in any order give the same bytes, and of two with one path the later counts."""
    by_path = {entry.path: entry for entry in entries}
    for path in list(by_path):
        for parent in _parents(path):
            by_path.setdefault(parent, directory(parent))
    # A directory's path begins the path of what it holds; so in this order it comes first, as the kernel needs it.
    records = [_record(number, by_path[path]) for number, path in enumerate(sorted(by_path), start=1)]
    return b"".join([*records, _trailer()])


def _parents(path: str) -> Iterator[str]:
    return (str(parent) for parent in PurePosixPath(path).parents if parent.parts)


def _record(inode: int, entry: Entry) -> bytes:
    name = entry.path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    # inode, mode, owner, group, links, time of change, size, the device that holds it, the device that it is, name, checksum
    fields = (inode, entry.mode, 0, 0, links, 0, len(entry.content), 0, 0, *entry.device, len(name), 0)
    header = _MAGIC + b"".join(b"%08X" % field for field in fields)
    return _padded(header + name) + _padded(entry.content)


def _trailer() -> bytes:
    return _record(0, replace(file("TRAILER!!!", b""), mode=0))


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _ALIGNMENT)
