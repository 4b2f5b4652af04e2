"""A guest of Debian's own systemd, PAM and login, with the agent installed as docs/guest.md says.

It is the demo guest's archive with another on top: so there are kernel, modules, busybox and Python already. What Debian's
packages do when they are installed is written here, as far as a login needs it.
"""

import gzip
import hashlib
import platform
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path

from vmpool_ext.backends.qemu.guest_image import GuestImage, build_image, cpio
from vmpool_ext.backends.qemu.guest_image.packages import PackageSource

_AGENT = Path(__file__).parents[2] / "guest" / "agent"
_WANTED = (
    "dbus dbus-bin dbus-daemon dbus-system-bus-common libpam-modules libpam-modules-bin libpam-systemd login passwd systemd udev "
    "util-linux"
)
_WITHOUT = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/bash", "usr/share/perl", "lib/udev/hwdb.d")

# What these packages need for their installation alone, or could use instead.
_NOT_LIBRARIES = (
    "libdb5",
    "libdebian",
    "libelogind",
    "libgdbm",
    "libgmp",
    "libmpfr",
    "libnewt",
    "libperl",
    "libsigsegv",
    "libslang",
)

_PAM = """auth required pam_permit.so
account required pam_unix.so
session required pam_unix.so
session optional pam_systemd.so
"""

_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nmessagebus:x:100:100::/nonexistent:/usr/sbin/nologin\nops:x:1300:1300::/opt:/bin/sh\nshut:x:1440:1440::/home/shut:/bin/sh\n",
    "etc/group": "root:x:0:\ntty:x:5:\nutmp:x:43:\nmessagebus:x:100:\nops:x:1300:\nshut:x:1440:\n",
    "etc/shadow": "root:*:19000:0:99999:7:::\nmessagebus:!:19000::::::\nops:!:19000::::::\nshut:!:19000:::::1:\n",
    "etc/gshadow": "root:*::\ntty:*::\nutmp:*::\nmessagebus:!::\nops:!::\nshut:!::\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\n",
    "etc/pam.d/login": _PAM,
    "etc/pam.d/systemd-user": _PAM,
    "etc/pam.d/other": _PAM,
    # Else it would be a first boot, in which systemd asks for a time zone.
    "etc/machine-id": f"{'1' * 32}\n",
    "etc/hostname": "guest\n",
    "etc/fstab": "home /home 9p trans=virtio,version=9p2000.L,access=client,posixacl,cache=mmap 0 0\n",
    "etc/skel/.hello": "hello\n",
    "etc/skel/folder/file": "in a folder\n",
    "etc/systemd/journald.conf.d/console.conf": "[Journal]\nStorage=volatile\nForwardToConsole=yes\nTTYPath=/dev/ttyS0\n",
    "init": (
        "#!/bin/busybox sh\n/bin/busybox --install -s\nrm -r /etc/vmpool-agent /etc/modules\n"
        "while read -r module; do insmod $module; done </lib/modules/order\nexec /lib/systemd/systemd\n"
    ),
}
_LINKS = {
    "etc/systemd/system/getty.target.wants/getty@tty1.service": "/lib/systemd/system/getty@.service",
    "etc/systemd/system/default.target": "/lib/systemd/system/multi-user.target",
    "var/run": "/run",
}
# What only takes time here.
_MASKED = (
    "modprobe@.service serial-getty@.service systemd-hwdb-update.service systemd-modules-load.service "
    "systemd-network-generator.service systemd-random-seed.service"
)
_INSTALLED = {
    "vmpool_agent.py": "usr/sbin/vmpool-agent",
    "vmpool-agent.service": "etc/systemd/system/vmpool-agent.service",
    "90-vmpool-agent.rules": "etc/udev/rules.d/90-vmpool-agent.rules",
}


@contextmanager
def build_systemd_guest(cache):
    """Give the guest; the first time, its packages are downloaded (10 MB)."""
    demo = build_image(cache, print)
    packages = cache / f"systemd-{_key()}.cpio.gz"
    if not packages.exists():
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            _fetch(Path(scratch))
            made = Path(scratch) / "made"
            made.write_bytes(gzip.compress(cpio.pack(_tree(Path(scratch) / "packages")), 6))
            made.rename(packages)
    with tempfile.NamedTemporaryFile(prefix="systemd-", suffix=".img") as whole:
        whole.write(demo.initrd.read_bytes() + packages.read_bytes() + gzip.compress(cpio.pack(_recipe())))
        whole.flush()
        yield GuestImage(demo.kernel, Path(whole.name))


def _key():
    """Name what is fetched: other packages, or another release, make another archive."""
    release = platform.freedesktop_os_release()["VERSION_CODENAME"]
    return hashlib.sha256(repr((release, _WANTED, _WITHOUT, _NOT_LIBRARIES)).encode()).hexdigest()[:16]


def _fetch(scratch):
    source = PackageSource(scratch / "apt")
    source.update()
    for package in _closure(source):
        source.unpack(package, scratch / "packages")


def _closure(source):
    """Name the packages with all libraries that they need."""
    besides = ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
    listed = source._ask("depends", "--recurse", *(f"--no-{kind}" for kind in besides), *_WANTED.split())
    names = {line for line in listed.splitlines() if line and not line.startswith((" ", "<"))}
    return sorted(
        {name for name in names if name.startswith("lib") and not name.startswith(_NOT_LIBRARIES)} | {*_WANTED.split()}
    )


def _tree(folder):
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if name.startswith(_WITHOUT) or "/gconv/" in name:
            continue
        if path.is_symlink():
            yield cpio.symlink(name, str(path.readlink()))
        elif path.is_file():
            yield cpio.Entry(name, path.stat().st_mode, path.read_bytes())


def _recipe():
    for name, text in _FILES.items():
        yield cpio.file(name, text.encode(), executable=text.startswith("#!"))
    for name, target in _LINKS.items():
        yield cpio.symlink(name, target)
    for name in _MASKED.split():
        yield cpio.symlink(f"etc/systemd/system/{name}", "/dev/null")
    for name, place in _INSTALLED.items():
        content = (_AGENT / name).read_bytes()
        yield cpio.Entry(place, stat.S_IFREG | (0o755 if content.startswith(b"#!") else 0o644), content)
    for folder in ("root", "tmp", "var/lib/dbus", "var/log", "var/lib/systemd", "opt", "var/mail"):
        yield cpio.directory(folder)
