"""Build the demo guest: Debian's kernel, busybox, the smallest Python for the agent, and the recipe in ``guest/demo``, packed to boot without a disk."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import platform
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from vmpool_ext.backends.qemu.guest_image import cpio, kernel, modules, python
from vmpool_ext.backends.qemu.guest_image.errors import GuestBuildError
from vmpool_ext.backends.qemu.guest_image.packages import PackageSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from importlib.resources.abc import Traversable

    Progress = Callable[[str], None]

# Not the smaller one for clouds: that has no 9p.
_KERNEL = "linux-image-amd64"
_BUSYBOX = "busybox-static"
_AGENT = "usr/sbin/vmpool-agent"
_NEEDED_SPACE = 600_000_000
_EMPTY_DIRECTORIES = ("dev", "home", "proc", "run", "sbin", "sys", "tmp", "usr/bin", "usr/sbin")
_SCRATCH = ".building-"


@dataclass(frozen=True, slots=True)
class GuestImage:
    """The two files that QEMU boots."""

    kernel: Path
    initrd: Path


def default_cache() -> Path:
    """Name the folder that keeps built guests for this user."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "vmpool-ext" / "guest"


def find_image(cache: Path) -> GuestImage | None:
    """Give the guest if the cache has it as recipe and release would make it now."""
    image = _image_in(cache / _key())
    return image if image.kernel.is_file() and image.initrd.is_file() else None


def _image_in(folder: Path) -> GuestImage:
    return GuestImage(kernel=folder / "vmlinux", initrd=folder / "initrd.img")


def build_image(cache: Path, progress: Progress) -> GuestImage:
    """Give the guest, built first if need be (half a minute, 90 MB of downloads); tells ``progress`` what takes time.

    Blocks. A guest appears in the cache complete or not at all, and builders that meet wait for one another.
    """
    try:
        return find_image(cache) or _build_alone(cache, progress)
    except OSError as error:
        raise GuestBuildError(_why(error, cache)) from error


def _why(error: OSError, cache: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The demo guest needs {_megabytes(_NEEDED_SPACE)} in {cache}. Make room there and build again."
    return f"The demo guest could not be written to {cache}: {error}. Mend that or choose another folder."


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"


def _build_alone(cache: Path, progress: Progress) -> GuestImage:
    cache.mkdir(parents=True, exist_ok=True)
    with _only_builder(cache, progress):
        return find_image(cache) or _build(cache, progress)


@contextmanager
def _only_builder(cache: Path, progress: Progress) -> Iterator[None]:
    """Wait until nobody else builds in the cache; a builder that dies holds nobody up."""
    with (cache / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("Waiting for another build of the demo guest")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(cache: Path, progress: Progress) -> GuestImage:
    _make_room(cache)
    folder = cache / _key()
    with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=cache) as scratch:
        unpacked = Path(scratch) / "packages"
        _fetch(unpacked, progress)
        progress("Packing the demo guest")
        built = _write(unpacked, Path(scratch) / "image")
        # What is there without being found is broken: somebody took one of its files away.
        shutil.rmtree(folder, ignore_errors=True)
        built.rename(folder)
    progress(f"The demo guest is in {folder}")
    return _image_in(folder)


def _make_room(cache: Path) -> None:
    """Take away what builders that died left behind; nobody else builds now."""
    for left_over in cache.glob(f"{_SCRATCH}*"):
        shutil.rmtree(left_over, ignore_errors=True)
    if shutil.disk_usage(cache).free < _NEEDED_SPACE:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _fetch(into: Path, progress: Progress) -> None:
    into.mkdir()
    packages = PackageSource(into.parent / "apt")
    progress("Looking up packages (10 MB)")
    packages.update()
    linux = packages.dependency(_KERNEL)
    progress(f"Downloading the kernel ({packages.megabytes(linux)} MB)")
    packages.unpack(linux, into)
    rest = [_BUSYBOX, *python.packages(packages)]
    progress(f"Downloading busybox and Python ({sum(map(packages.megabytes, rest))} MB)")
    for package in rest:
        packages.unpack(package, into)


def _write(unpacked: Path, folder: Path) -> Path:
    folder.mkdir()
    image = _image_in(folder)
    _write_through(image.kernel, kernel.unpacked(_only(unpacked, "boot/vmlinuz-*").read_bytes()))
    _write_through(image.initrd, _initrd(unpacked))
    return folder


def _write_through(path: Path, content: bytes) -> None:
    """Write a file so that it is whole even if the machine fails a moment after its folder got its name."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _initrd(unpacked: Path) -> bytes:
    recipe = _recipe()
    entries = [
        *(cpio.directory(path) for path in _EMPTY_DIRECTORIES),
        # The kernel opens it for the first process, before there are any other devices.
        cpio.character_device("dev/console", 5, 1),
        cpio.file("bin/busybox", _only(unpacked, "**/bin/busybox").read_bytes(), executable=True),
        *(cpio.file(path, content, executable=content.startswith(b"#!")) for path, content in recipe.items()),
        *_modules(recipe, unpacked),
        *python.entries(unpacked),
    ]
    # Not compressed: QEMU maps it, so that all VMs share its pages, and the guest is up the sooner.
    return cpio.pack(entries)


def _modules(recipe: dict[str, bytes], unpacked: Path) -> Iterator[cpio.Entry]:
    """Give the modules, and the order in which to load them; the kernel's own listing of names is not needed then."""
    first, later = _wanted(recipe["etc/modules"]), _wanted(recipe["etc/modules-later"])
    found = modules.in_load_order([*first, *later], unpacked)
    for name, content in found.items():
        yield cpio.file(f"lib/modules/{name}.ko", content)
    soon = modules.in_load_order(first, unpacked)
    yield cpio.file("lib/modules/order", _order(soon))
    yield cpio.file("lib/modules/order-later", _order(name for name in found if name not in soon))


def _wanted(listing: bytes) -> list[str]:
    return [line for line in listing.decode().splitlines() if line and not line.startswith("#")]


def _order(names: Iterable[str]) -> bytes:
    return "".join(f"/lib/modules/{name}.ko\n" for name in names).encode()


def _only(unpacked: Path, pattern: str) -> Path:
    found = sorted(unpacked.glob(pattern))
    if len(found) != 1:
        message = f"Debian's packages hold {len(found)} files {pattern} instead of one. Report this as a bug, please."
        raise GuestBuildError(message)
    return found[0]


def _recipe() -> dict[str, bytes]:
    """Give the files of the recipe, which lie in it as they do in the guest, and the agent."""
    guest = files("vmpool_ext") / "guest"
    return dict(_tree(guest / "demo")) | {_AGENT: (guest / "agent" / "vmpool_agent.py").read_bytes()}


def _tree(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    for child in sorted(folder.iterdir(), key=lambda child: child.name):
        if child.is_dir():
            yield from _tree(child, f"{prefix}{child.name}/")
        else:
            yield prefix + child.name, child.read_bytes()


def _key() -> str:
    """Name what is built: a new release, recipe or builder makes another guest."""
    digest = hashlib.sha256()
    builder = ((path.name, path.read_bytes()) for path in sorted(Path(__file__).parent.glob("*.py")))
    for name, content in (*_recipe().items(), *builder):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return f"{_release()}-{digest.hexdigest()[:16]}"


def _release() -> str:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return "unknown"
    return f"{release['ID']}-{release.get('VERSION_ID', 'rolling')}"
