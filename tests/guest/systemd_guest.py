"""Guests of Debian's own systemd, PAM and login, with the agent installed as docs/guest.md says.

Each is the demo guest's archive with two others on top: so there are kernel, modules, busybox and Python already. What Debian's
packages do when they are installed is written in recipes, as far as a login needs it.
"""

import hashlib
import platform
import stat
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vmpool_ext.backends.qemu.guest_image import GuestImage, build_image, cpio
from vmpool_ext.backends.qemu.guest_image.packages import PackageSource

_AGENT = Path(__file__).parents[2] / "guest" / "agent"
_INSTALLED = {
    "vmpool_agent.py": "usr/sbin/vmpool-agent",
    "vmpool-agent.service": "etc/systemd/system/vmpool-agent.service",
    "90-vmpool-agent.rules": "etc/udev/rules.d/90-vmpool-agent.rules",
}
_WITHOUT = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/bash",
    "usr/share/perl",
    "usr/share/X11/locale",
    "lib/udev/hwdb.d",
)

# What these packages need for their installation alone, or to draw in three dimensions, or could use instead.
_NOT_LIBRARIES = (
    "libdb5",
    "libdebian",
    "libegl-mesa",
    "libelogind",
    "libgdbm",
    "libgl1-mesa",
    "libglx-mesa",
    "libgmp",
    "libmpfr",
    "libnewt",
    "libpam-elogind",
    "libpam-runtime",
    "libperl",
    "libsigsegv",
    "libslang",
)
_BESIDES = ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")


@dataclass(frozen=True)
class Recipe:
    """What a guest is made of: its packages, the texts of its files, where its links lead, and folders with nothing in them."""

    packages: str
    files: dict
    links: dict
    folders: str

    def and_also(self, other):
        """Give the recipe with what another adds to it, files by the lines that they have besides."""
        longer = {name: self.files.get(name, "") + text for name, text in other.files.items()}
        return Recipe(
            f"{self.packages} {other.packages}",
            self.files | longer,
            self.links | other.links,
            f"{self.folders} {other.folders}",
        )


@contextmanager
def build_systemd_guest(cache, recipe):
    """Give the guest; the first time, its packages are downloaded."""
    demo = build_image(cache, print)
    packages = cache / f"systemd-{_key(recipe)}.cpio"
    if not packages.exists():
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            _fetch(recipe, Path(scratch))
            made = Path(scratch) / "made"
            made.write_bytes(cpio.pack(_tree(Path(scratch) / "packages")))
            made.rename(packages)
    with tempfile.NamedTemporaryFile(prefix="systemd-", suffix=".img") as whole:
        # Not compressed: an emulated processor takes long to unpack.
        for archive in (demo.initrd.read_bytes(), packages.read_bytes(), cpio.pack(_entries(recipe))):
            whole.write(archive)
        whole.flush()
        yield GuestImage(demo.kernel, Path(whole.name))


def _key(recipe):
    """Name what is fetched: other packages, or another release, make another archive."""
    release = platform.freedesktop_os_release()["VERSION_CODENAME"]
    return hashlib.sha256(repr((release, recipe.packages, _WITHOUT, _NOT_LIBRARIES)).encode()).hexdigest()[:16]


def _fetch(recipe, scratch):
    source = PackageSource(scratch / "apt")
    source.update()
    for package in _closure(source, {*recipe.packages.split()}):
        source.unpack(package, scratch / "packages")


def _closure(source, wanted):
    """Name the packages with all libraries that they need, and that those need."""
    named, new = set(), wanted
    while new:
        named |= new
        listed = source._ask("depends", *(f"--no-{kind}" for kind in _BESIDES), *sorted(new))
        needed = {line.rpartition(" ")[2] for line in listed.splitlines() if "Depends: " in line}
        new = {name for name in needed if name.startswith("lib") and not name.startswith(_NOT_LIBRARIES)} - named
    return sorted(named)


def _tree(folder):
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if name.startswith(_WITHOUT) or "/gconv/" in name:
            continue
        if path.is_symlink():
            yield cpio.symlink(name, str(path.readlink()))
        elif path.is_file():
            yield cpio.Entry(name, path.stat().st_mode, path.read_bytes())


def _entries(recipe):
    for name, text in recipe.files.items():
        yield cpio.file(name, text.encode(), executable=text.startswith("#!"))
    for name, target in recipe.links.items():
        yield cpio.symlink(name, target)
    for name, place in _INSTALLED.items():
        content = (_AGENT / name).read_bytes()
        yield cpio.Entry(place, stat.S_IFREG | (0o755 if content.startswith(b"#!") else 0o644), content)
    for folder in recipe.folders.split():
        yield cpio.directory(folder)
