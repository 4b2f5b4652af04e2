"""The demo guest as its user and its host find it: a real one, booted."""

import contextlib
import json
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from vmpool_ext.backends.qemu.guest_image import build_image, default_cache


@pytest.fixture(scope="module")
def image():
    """The real thing; the first test run on a machine downloads it."""
    return build_image(default_cache(), print)


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
        return next(line[:3] for line in self._agent if line[0] != "1")

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
    machine.shows("id -un", "guest")


def test_a_login_gives_the_console_to_the_user_and_a_logout_takes_it(machine):
    assert machine.tell_agent("login alice") == "201"
    machine.shows("whoami", "alice")
    machine.shows("pwd", "/home/alice")

    assert machine.tell_agent("logout") == "202"
    machine.shows("whoami", "guest")


def test_a_logout_of_nobody_disturbs_nobody(machine):
    """VM-Operator sends it at each change of the configuration."""
    machine.shows("mkdir -p here\ncd ~/here\npwd", "/run/guest/here")

    assert machine.tell_agent("logout") == "202"

    machine.shows("pwd", "/run/guest/here")


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
