"""Choose kernel modules and the order to load them in.

A kernel package holds no ``modules.dep`` (installing it would make that), so each module is asked itself what it needs.
"""

from __future__ import annotations

import gzip
import lzma
import struct
from typing import TYPE_CHECKING

from vmpool_ext.backends.qemu.guest_image.errors import GuestBuildError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

_ELF64 = b"\x7fELF\x02\x01"
_FILE_HEADER = struct.Struct("<16xHHIQQQIHHHHHH")
_SECTION_HEADER = struct.Struct("<IIQQQQIIQQ")

# Debian compresses modules since release 13; which way a kernel was built with shows in the names of the files.
_READERS: dict[str, Callable[[bytes], bytes]] = {
    ".ko": bytes,
    ".ko.xz": lzma.decompress,
    ".ko.gz": gzip.decompress,
}


def in_load_order(wanted: Iterable[str], tree: Path) -> dict[str, bytes]:
    """Give the wanted modules of an unpacked kernel and all that they depend on, each after what it needs.

    What is built into the kernel is left out; what the kernel has not at all is an error.
    """
    available = _available(tree)
    built_in = _built_in(tree)
    ordered: dict[str, bytes] = {}

    def add(name: str) -> None:
        if name in ordered or name in built_in:
            return
        if name not in available:
            message = f'The kernel in {tree} has no module "{name}". Take it out of the guest\'s etc/modules.'
            raise GuestBuildError(message)
        module = _read(available[name])
        for needed in dependencies(module):
            add(needed)
        ordered[name] = module

    for name in wanted:
        add(_canonical(name))
    return ordered


def dependencies(module: bytes) -> list[str]:
    """Tell which modules a module says it needs."""
    for line in _section(module, b".modinfo").split(b"\0"):
        key, _, value = line.partition(b"=")
        if key == b"depends":
            return [_canonical(name) for name in value.decode().split(",") if name]
    return []


def _section(elf: bytes, wanted: bytes) -> bytes:
    """Give the content of a section of an object file; nothing if there is none of that name."""
    if not elf.startswith(_ELF64):
        message = "A kernel module is not an object file for 64 bits. Was the download cut short? Build again."
        raise GuestBuildError(message)
    file_header = _FILE_HEADER.unpack_from(elf)
    offset, (entry_size, count, names_index) = file_header[5], file_header[-3:]
    headers = [_SECTION_HEADER.unpack_from(elf, offset + index * entry_size) for index in range(count)]
    names = _content(elf, headers[names_index])
    found = (header for header in headers if names[header[0] :].split(b"\0", 1)[0] == wanted)
    return b"".join(_content(elf, header) for header in found)


def _content(elf: bytes, section_header: tuple[int, ...]) -> bytes:
    offset, size = section_header[4:6]
    return elf[offset : offset + size]


def _available(tree: Path) -> dict[str, Path]:
    return {_canonical(path.name.split(".")[0]): path for path in tree.rglob("*.ko*")}


def _built_in(tree: Path) -> set[str]:
    return {_canonical(name) for listing in tree.rglob("modules.builtin") for name in _stems(listing)}


def _stems(listing: Path) -> Iterator[str]:
    return (line.rsplit("/", 1)[-1].removesuffix(".ko") for line in listing.read_text("utf-8").splitlines())


def _read(path: Path) -> bytes:
    kind = "." + path.name.split(".", 1)[1]
    if kind not in _READERS:
        message = f"{path.name} is compressed in a way that cannot be read here. Build the demo guest on Debian."
        raise GuestBuildError(message)
    return _READERS[kind](path.read_bytes())


def _canonical(name: str) -> str:
    """``virtio-rng`` and ``virtio_rng`` are the same module."""
    return name.strip().replace("-", "_")
