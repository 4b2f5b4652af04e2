"""Python for the guest, as small as Debian has it: the interpreter, its smallest library, and what these are linked to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmpool_ext.backends.qemu.guest_image import cpio
from vmpool_ext.backends.qemu.guest_image.errors import GuestBuildError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vmpool_ext.backends.qemu.guest_image.packages import PackageSource

_META_PACKAGE = "python3-minimal"
_LINKED = {"libc6": ("libc.so.6", "libm.so.6"), "libexpat1": ("libexpat.so.1",), "zlib1g": ("libz.so.1",)}
_LOADER = "ld-linux-x86-64.so.2"


def packages(source: PackageSource) -> list[str]:
    """Name what is to be unpacked."""
    interpreter = source.dependency(_META_PACKAGE, "PreDepends")
    return [interpreter, f"lib{interpreter}", *_LINKED]


def entries(unpacked: Path) -> Iterator[cpio.Entry]:
    """Give what the guest gets of the unpacked packages."""
    [program] = _found(unpacked, "usr/bin/python3.*")
    yield cpio.file("usr/bin/python3", program.read_bytes(), executable=True)
    library = unpacked / "usr" / "lib" / program.name
    # Empty, but Python wonders where it is.
    yield cpio.directory(str(library.relative_to(unpacked) / "lib-dynload"))
    for path in sorted(library.rglob("*.py")):
        yield cpio.file(str(path.relative_to(unpacked)), path.read_bytes())
    yield cpio.file(f"lib64/{_LOADER}", _found(unpacked, f"**/{_LOADER}")[0].read_bytes(), executable=True)
    for name in (name for names in _LINKED.values() for name in names):
        yield cpio.file(f"lib/x86_64-linux-gnu/{name}", _found(unpacked, f"**/{name}")[0].read_bytes())


def _found(unpacked: Path, pattern: str) -> list[Path]:
    if found := sorted(unpacked.glob(pattern)):
        return found
    message = f"Debian's packages hold no file {pattern}. Report this as a bug, please."
    raise GuestBuildError(message)
