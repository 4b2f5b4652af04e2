import contextlib
import errno
import fcntl
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from vmpool_ext.backends.qemu.guest_image import GuestBuildError, build, build_image, default_cache, find_image


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
        for path in ("boot/vmlinuz-1", "bin/busybox"):
            (into / path).parent.mkdir(parents=True)
            (into / path).write_bytes(b"x")
        # A kernel that needs no modules.
        (into / "modules.builtin").write_bytes(build._recipe()["etc/modules"])

    monkeypatch.setattr(build, "_fetch", fetch)
    return fetched


def test_what_was_built_is_found(image):
    assert find_image(default_cache()) == image
    assert image.kernel.stat().st_size > 5_000_000
    assert image.initrd.stat().st_size < 3_000_000


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
    assert first[4:8] == bytes(4)  # where gzip would put the time


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

    assert fails(cache).startswith("This machine's package sources have no linux-image-cloud-amd64. Build")


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

    assert fails(cache) == f"The demo guest needs 250 MB in {cache}. Make room there and build again."
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


KEYS = {" ": "spc", "/": "slash", ">": "shift dot", "-": "minus", "\n": "ret", "S": "shift s", "|": "shift backslash"}
KEYS |= {"&": "shift 7", "[": "bracket_left", "]": "bracket_right", "~": "shift grave_accent"}


class Machine:
    """A VM that boots the demo guest, and what can be seen of it from outside."""

    def __init__(self, folder, image, name, stack):
        self._folder, self._stack = folder, stack
        line = self._command_line(image, name)
        self.process = subprocess.Popen(line, stdin=subprocess.DEVNULL)  # noqa: S603  # our own words
        stack.callback(self._end)
        self._monitor = self._connect("monitor")
        self._monitor.readline()
        self.ask("qmp_capabilities")

    def _command_line(self, image, name):
        options = (
            "-no-user-config -nodefaults -machine q35 -accel tcg,tb-size=64 -cpu max -m 128 -display none -device VGA "
            "-chardev socket,id=m,path=monitor,server=on,wait=off -mon chardev=m,mode=control "
            "-device virtio-serial-pci -chardev socket,id=a,path=agent,server=on,wait=off "
            "-device virtserialport,name=org.jdrupes.vmop_agent.0,chardev=a,id=a "
            "-netdev user,id=n,restrict=on -device virtio-net-pci,netdev=n,romfile= -serial file:serial"
        ).replace("path=", f"path={self._folder}/")
        options = options.replace("file:", f"file:{self._folder}/")
        boot = ("-kernel", image.kernel, "-initrd", image.initrd)
        append = f"console=ttyS0 console=tty0 quiet loglevel=3 vm.name={name}"
        return ["qemu-system-x86_64", *options.split(), *boot, "-append", append]

    def _end(self):
        self.process.kill()
        self.process.wait()

    def _connect(self, name):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(120)
        within(30, lambda: connection.connect_ex(str(self._folder / name)) == 0)
        with connection:
            return self._stack.enter_context(connection.makefile("rw"))

    def call_agent(self):
        """Connect to the guest's agent; give its greeting."""
        self._agent = self._connect("agent")
        return self._agent.readline().strip()

    def leave_agent(self):
        """Disconnect, and wait until the guest has noticed."""
        self._agent.close()
        messages = map(json.loads, self._monitor)
        next(True for message in messages if message.get("data", {}).get("open") is False)

    def tell_agent(self, line):
        self._agent.write(f"{line}\n")
        self._agent.flush()
        return self._agent.readline()[:3]

    def ask(self, execute, **arguments):
        self._monitor.write(json.dumps({"execute": execute, "arguments": arguments}) + "\n")
        self._monitor.flush()
        answers = map(json.loads, self._monitor)
        return next(answer["return"] for answer in answers if "event" not in answer)

    def type(self, text):
        for character in text:
            keys = [{"type": "qcode", "data": key} for key in KEYS.get(character, character).split()]
            self.ask("send-key", keys=keys, **{"hold-time": 10})
            time.sleep(0.03)  # faster than a person, and not too fast for the guest

    def shows(self, command, answer):
        """Type a command at the console until the expected answer comes; a shell may be just starting."""

        def answered():
            before = len(self.log())
            self.type(f"{command} > /dev/ttyS0\n")
            return self.logs(answer, patience=3, after=before)

        within(60, answered)

    def log(self):
        return (self._folder / "serial").read_text().splitlines()

    def logs(self, line, patience, after=0):
        with contextlib.suppress(TimeoutError):
            within(patience, lambda: line in self.log()[after:])
            return True
        return False


def within(seconds, holds):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.05)


@contextlib.contextmanager
def booted(image, name):
    # Paths of sockets must be short; pytest's folders are not always.
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        machine = Machine(Path(folder), image, name, stack)
        assert machine.call_agent() == "220 Hello"
        yield machine


@pytest.fixture(scope="module")
def machine(image):
    with booted(image, "demo-1") as machine:
        yield machine


def test_an_ordinary_user_sits_at_the_console_of_the_named_machine(machine):
    machine.shows("hostname", "demo-1")
    machine.shows("id -un", "demo")


def test_a_login_gives_the_console_to_the_user_and_a_logout_takes_it(machine):
    assert machine.tell_agent("login alice") == "201"
    machine.shows("whoami", "alice")
    assert machine.tell_agent("login alice") == "201"

    assert machine.tell_agent("logout") == "202"
    machine.shows("whoami", "demo")


def test_nothing_of_a_session_goes_on_after_it(machine):
    """Not even what was left running behind the console."""
    machine.tell_agent("login bert")
    machine.shows("setsid sleep 12345 &\nps | grep -c 1234[5]", "1")

    machine.tell_agent("login carl")

    machine.shows("ps | grep -c 1234[5]", "0")
    machine.tell_agent("logout")


@pytest.mark.parametrize("line", ["login root", "login", "login a b", "login Ann", "login ../x", "dance", ""])
def test_what_the_agent_cannot_do_it_refuses(machine, line):
    assert machine.tell_agent(line) == "504"


def test_a_logout_of_nobody_disturbs_nobody(machine):
    """VM-Operator sends it at each change of the configuration."""
    machine.shows("mkdir -p here\ncd ~/here\npwd", "/home/demo/here")

    assert machine.tell_agent("logout") == "202"

    machine.shows("pwd", "/home/demo/here")


def test_whoever_comes_back_is_greeted_again(machine):
    machine.tell_agent("login dora")
    machine.leave_agent()

    assert machine.call_agent() == "220 Hello"
    machine.shows("whoami", "dora")


def test_the_guest_gets_an_address(machine):
    assert machine.logs("udhcpc: lease of 10.0.2.15 obtained from 10.0.2.2, lease time 86400", patience=30)


def test_the_power_button_turns_it_off(machine):
    machine.ask("system_powerdown")

    assert machine.process.wait(30) == 0


def test_what_is_no_host_name_does_not_become_one(image):
    """The kernel's command line is not a place to smuggle commands in by."""
    with booted(image, "$(reboot)") as machine:
        machine.shows("hostname", "demo")
