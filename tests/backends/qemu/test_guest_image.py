"""Building the demo guest, and what may come between."""

import errno
import fcntl
import os
import platform
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from vmpool_ext.backends.qemu.guest_image import GuestBuildError, build, build_image, default_cache, find_image, kernel


@pytest.fixture(scope="module")
def image():
    """The real thing; the first test run on a machine downloads it."""
    return build_image(default_cache(), print)


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Gives a function that leaves the machine with nothing but the given programs."""
    folder = tmp_path / "tools"
    folder.mkdir()

    def are(**scripts):
        for name, script in scripts.items():
            program = folder / name.replace("_", "-")
            program.write_text(f"#!/bin/sh\n{script}\n")
            program.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))

    return are


@pytest.fixture
def no_downloads(monkeypatch):
    """Instead of Debian's packages there is just enough to be packed; tells how often it was fetched."""
    fetched = []

    def fetch(into, progress):
        fetched.append(into)
        libraries = ("ld-linux-x86-64.so.2", "libc.so.6", "libm.so.6", "libexpat.so.1", "libz.so.1")
        python = ("usr/bin/python3.11", "usr/lib/python3.11/os.py")
        for path in ("boot/vmlinuz-1", "bin/busybox", *python, *(f"lib/{name}" for name in libraries)):
            (into / path).parent.mkdir(parents=True, exist_ok=True)
            (into / path).write_bytes(b"x")
        # A kernel that needs no modules.
        (into / "modules.builtin").write_bytes(b"".join(content for path, content in build._recipe().items() if path.startswith("etc/modules")))

    monkeypatch.setattr(build, "_fetch", fetch)
    return fetched


def test_what_was_built_is_found(image):
    assert find_image(default_cache()) == image
    assert image.kernel.stat().st_size > 5_000_000
    assert image.initrd.stat().st_size < 25_000_000


def test_the_kernel_is_taken_out_of_what_boot_loaders_get(image):
    """It starts in half the time then: unpacking is the slowest thing that an emulated processor does."""
    assert image.kernel.read_bytes()[:4] == b"\x7fELF"


def test_a_kernel_that_is_packed_in_another_way_is_left_as_it_is():
    image = b"MZ" + bytes(0x200) + b"HdrS" + bytes(0x400)

    assert kernel.unpacked(image) == image
    assert kernel.unpacked(b"x") == b"x"


def test_nothing_is_found_where_nothing_was_built(cache):
    assert find_image(cache) is None


def test_what_was_built_is_not_built_again(image, tools):
    """Not even the programs for it need to be there."""
    tools()
    said = []

    assert build_image(default_cache(), said.append) == image
    assert said == []


def test_a_build_tells_what_it_does_and_leaves_nothing_else_behind(cache, no_downloads):
    said = []

    image = build_image(cache, said.append)

    assert said == ["Packing the demo guest", f"The demo guest is in {image.kernel.parent}"]
    assert {path.name for path in cache.iterdir()} == {".lock", image.kernel.parent.name}


def test_a_changed_recipe_makes_another_guest(cache, no_downloads, monkeypatch):
    before = build_image(cache, print)
    recipe = build._recipe()
    monkeypatch.setattr(build, "_recipe", lambda: recipe | {"etc/motd": b"hello"})

    assert find_image(cache) is None
    after = build_image(cache, print)

    assert after != before
    assert before.kernel.exists()  # a VM may be about to boot it


def test_a_new_release_makes_another_guest(cache, no_downloads, monkeypatch):
    build_image(cache, print)
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {"ID": "debian", "VERSION_ID": "99"})

    assert find_image(cache) is None


def test_the_same_recipe_makes_the_same_bytes(tmp_path, no_downloads):
    first, second = (build_image(tmp_path / name, print).initrd.read_bytes() for name in "ab")

    assert first == second


def test_half_a_guest_is_built_again(cache, no_downloads):
    image = build_image(cache, print)
    image.kernel.unlink()

    assert build_image(cache, print) == image
    assert image.kernel.exists()


def test_what_a_dead_builder_left_is_taken_away(cache, no_downloads):
    (cache / ".building-dead" / "packages").mkdir(parents=True)

    build_image(cache, print)

    assert not (cache / ".building-dead").exists()


def test_builders_that_meet_wait_and_build_once(cache, no_downloads):
    cache.mkdir()
    waiting = threading.Barrier(3, timeout=30)
    built = []

    def say(line):
        if line.startswith("Waiting"):
            waiting.wait()

    threads = [threading.Thread(target=lambda: built.append(build_image(cache, say))) for _ in range(2)]
    with (cache / ".lock").open("w") as somebody_else:
        fcntl.flock(somebody_else, fcntl.LOCK_EX)
        for thread in threads:
            thread.start()
        waiting.wait()
        assert no_downloads == []
    for thread in threads:
        thread.join(30)

    assert built == [find_image(cache)] * 2
    assert len(no_downloads) == 1


def test_a_builder_is_alone(cache, no_downloads):
    refused = []

    def try_to_come_in(line):
        with (cache / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                refused.append(line)

    build_image(cache, try_to_come_in)

    assert len(refused) == 2


def fails(cache):
    """Try to build; give what the person at the terminal reads, having seen that nothing is left behind."""
    with pytest.raises(GuestBuildError) as caught:
        build_image(cache, print)
    assert find_image(cache) is None
    assert {path.name for path in cache.iterdir()} <= {".lock"}
    return str(caught.value)


def test_without_apt_get_it_says_where_to_build(cache, tools):
    tools()

    assert fails(cache) == (
        "This machine has no apt-get. "
        "Build the demo guest on Debian, or copy the folder with it from a machine that has built it."
    )


def test_without_a_network_it_says_what_could_not_be_reached(cache, monkeypatch):
    """With the real apt: its update tells of failures by warnings only."""
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    message = fails(cache)

    assert "Failed to fetch" in message
    assert message.endswith("Check the network and /etc/apt, and build again.")


def test_where_there_is_no_such_package_it_says_so(cache, tools):
    tools(apt_get="", apt_cache="")

    assert fails(cache).startswith("This machine's package sources have no linux-image-amd64. Build")


_APT_CACHE = 'case "$*" in *depends*) echo "  Depends: linux-image-6";; *) echo "Size: 27000000";; esac'
_APT_GET = 'case "$*" in *download*) : >"linux-image-6_1_amd64.deb";; esac'


def test_a_download_that_fails_is_told_with_the_reason(cache, tools):
    tools(apt_cache=_APT_CACHE, apt_get='case "$*" in *download*) echo "E: Hash Sum mismatch" >&2; exit 100;; esac')

    assert fails(cache) == (
        "linux-image-6 could not be downloaded: Hash Sum mismatch. Check the network and build again."
    )


def test_without_dpkg_deb_it_says_where_to_build(cache, tools):
    tools(apt_cache=_APT_CACHE, apt_get=_APT_GET)

    assert fails(cache).startswith("This machine has no dpkg-deb. Build")


def test_what_cannot_be_unpacked_is_told_with_the_reason(cache, tools):
    said = "dpkg-deb: error: cannot write: No space left on device"
    tools(apt_cache=_APT_CACHE, apt_get=_APT_GET, dpkg_deb=f"echo '{said}' >&2; exit 2")

    assert fails(cache) == f"linux-image-6 could not be unpacked: {said}. Make room on the disk and build again."


def test_where_there_is_no_room_nothing_is_begun(cache, no_downloads, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 99, 1))

    assert fails(cache) == f"The demo guest needs 600 MB in {cache}. Make room there and build again."
    assert no_downloads == []


def test_a_disk_that_fills_up_meanwhile_is_told_the_same_way(cache, no_downloads, monkeypatch):
    def fill_up(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fill_up)

    assert "Make room" in fails(cache)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(GuestBuildError, match=r"could not be written to .*/file/cache.*choose another folder"):
        build_image(tmp_path / "file" / "cache", print)


def test_guests_are_kept_where_the_user_keeps_caches(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache/ann")
    assert default_cache() == Path("/var/cache/ann/vmpool-ext/guest")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/ann")
    assert default_cache() == Path("/home/ann/.cache/vmpool-ext/guest")


def command(*arguments):
    line = [sys.executable, "-m", "vmpool_ext.backends.qemu.guest_image", *arguments]
    return subprocess.run(line, capture_output=True, encoding="utf-8", check=False)  # noqa: S603  # our own words


def test_the_command_prints_what_to_boot(image):
    done = command()

    assert (done.returncode, done.stdout) == (0, f"{image.kernel}\n{image.initrd}\n")


def test_the_command_says_why_it_fails(cache, tools):
    tools()

    done = command(str(cache))

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: This machine has no apt-get.")
