"""A real QEMU whose display is SPICE over TCP with a password, as VM-Operator's runner has it."""

import json
import signal
import socket
import subprocess
import time
from pathlib import Path

PATIENCE = 60
"""Seconds; emulated, and on a busy machine."""
# With what VM-Operator's VMs have besides a screen: each is a further channel that the server offers.
_EXTRAS = [
    "-chardev", "spicevmc,id=vdagent,name=vdagent", "-device", "virtserialport,chardev=vdagent,name=com.redhat.spice.0",
    "-device", "qemu-xhci", "-device", "usb-tablet", "-chardev", "spicevmc,id=usb,name=usbredir", "-device", "usb-redir,chardev=usb",
    "-audiodev", "spice,id=sound", "-device", "intel-hda", "-device", "hda-output,audiodev=sound",
]  # fmt: skip


class SpiceMachine:
    """A machine in a folder of its own, by which other processes find it too."""

    def __init__(self, folder):
        self.folder = Path(folder)

    @property
    def port(self):
        """Where its display listens, on this machine only."""
        return int((self.folder / "port").read_text())

    @property
    def serial(self):
        """All that the guest has written to its serial line."""
        return (self.folder / "serial").read_text(errors="replace")

    def start(self, image):
        """Boot the demo guest; nobody is let in before there is a password."""
        self.folder.mkdir()
        (self.folder / "port").write_text(str(_free_port()))
        self._process = subprocess.Popen(self._command(image), stdin=subprocess.DEVNULL)  # noqa: S603  # our own command
        self.until(lambda: self.execute("set_password", protocol="spice", password="nobody knows") is not None)  # noqa: S106
        self.execute("expire_password", protocol="spice", time="now")

    def wait_for_greeting(self):
        """Return when the guest's agent has said that the guest is up."""
        with socket.socket(socket.AF_UNIX) as agent:
            agent.settimeout(PATIENCE)
            agent.connect(str(self.folder / "agent"))
            assert agent.makefile(encoding="utf-8").readline().startswith("220")

    def let_in(self, password, seconds):
        """Open the display to whoever has the password, for so long."""
        self.execute("set_password", protocol="spice", password=password, connected="keep")
        self.execute("expire_password", protocol="spice", time=f"+{seconds}")

    def shut_out(self):
        """Let nobody in any more; who is in, stays."""
        self.execute("expire_password", protocol="spice", time="now")

    def reset(self):
        """Press the reset button: the screen is another one until the guest is up again."""
        self.execute("system_reset")

    def channels(self):
        """The channels that a viewer has open, by their numbers in SPICE."""
        found = self.execute("query-spice")
        return sorted(channel["channel-type"] for channel in found.get("channels", ()))

    def execute(self, command, **arguments):
        """Ask the machine's monitor, which talks to one at a time; None while it is not there yet."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.settimeout(PATIENCE)
            try:
                monitor.connect(str(self.folder / "qmp"))
            except OSError:
                return None
            lines = monitor.makefile("rw", encoding="utf-8")
            lines.readline()
            _ask(lines, "qmp_capabilities", {})
            return _ask(lines, command, arguments)

    def until(self, holds):
        """Look again and again: QEMU and its guest tell nobody here."""
        end = time.monotonic() + PATIENCE
        while not (found := holds()):
            assert time.monotonic() < end, self.folder
            time.sleep(0.05)
        return found

    def stop(self):
        """Switch it off."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(PATIENCE)

    def _command(self, image):
        append = "console=ttyS0 console=tty0 quiet loglevel=3 video=960x600"
        return [
            "qemu-system-x86_64", "-no-user-config", "-nodefaults", "-machine", "q35", "-accel", "tcg", "-m", "256M",
            "-kernel", str(image.kernel), "-initrd", str(image.initrd), "-append", append,
            "-spice", f"port={self.port},addr=127.0.0.1,seamless-migration=on",
            "-device", "VGA", "-device", "virtio-serial-pci",
            "-chardev", f"socket,id=agent,path={self.folder / 'agent'},server=on,wait=off",
            "-device", "virtserialport,chardev=agent,name=org.jdrupes.vmop_agent.0", *_EXTRAS,
            "-qmp", f"unix:{self.folder / 'qmp'},server=on,wait=off", "-serial", f"file:{self.folder / 'serial'}",
        ]  # fmt: skip


def _ask(lines, command, arguments):
    lines.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
    lines.flush()
    while True:
        answer = json.loads(lines.readline())
        if "event" not in answer:
            return answer["return"]


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
