"""A real guest with the agent in it, and what can be said to it and seen of it from outside."""

import json
import socket
import subprocess

from tests.guest.patience import within

PATIENCE = 120

_DEVICES = (
    "-no-user-config -nodefaults -machine q35 -accel tcg,tb-size=64 -cpu max -display none -device VGA "
    "-device virtio-serial-pci -device virtserialport,name=org.jdrupes.vmop_agent.0,chardev=agent,id=agent "
    "-device virtio-9p-pci,fsdev=home,mount_tag=home -device virtio-rng-pci -mon chardev=monitor,mode=control"
)
_QUIET = "quiet loglevel=3 systemd.show_status=false"


class Machine:
    """Is on until it is ended."""

    def __init__(self, folder, homes, image, memory=192, options=_QUIET):
        self._folder = folder
        self.homes = homes
        line = ["qemu-system-x86_64", *_DEVICES.split(), "-m", f"{memory}M", "-serial", f"file:{folder}/serial"]
        line += ["-kernel", image.kernel, "-initrd", image.initrd, "-append", f"console=ttyS0 console=tty0 {options}"]
        line += ["-fsdev", f"local,id=home,path={homes.folder},security_model=mapped-xattr,multidevs=remap"]
        for name in ("agent", "monitor"):
            line += ["-chardev", f"socket,id={name},path={folder}/{name},server=on,wait=off"]
        self._process = subprocess.Popen(line, stdin=subprocess.DEVNULL)  # noqa: S603  # our own words
        self._monitor = self._connect("monitor")
        self._monitor.readline()
        self.ask("qmp_capabilities")
        self._agent = None

    def _connect(self, name):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(PATIENCE)
        within(30, lambda: connection.connect_ex(f"{self._folder}/{name}") == 0)
        with connection:
            return connection.makefile("rwb")

    def ask(self, execute, **arguments):
        """Have QEMU's monitor do something."""
        self._monitor.write(json.dumps({"execute": execute, "arguments": arguments}).encode() + b"\n")
        self._monitor.flush()
        return next(answer["return"] for answer in map(json.loads, self._monitor) if "event" not in answer)

    def call(self):
        """Connect to the agent; give its greeting."""
        self._agent = self._connect("agent")
        return self.hear()

    def hang_up(self):
        """Disconnect, and wait until the guest has noticed."""
        self._agent.close()
        messages = map(json.loads, self._monitor)
        next(True for message in messages if message.get("data", {}).get("open") is False)

    def send(self, data):
        self._agent.write(data)
        self._agent.flush()

    def hear(self):
        """Give the next line of the agent's, as it came."""
        return self._agent.readline().decode().removesuffix("\n")

    def tell(self, command):
        """Give the final reply to a command."""
        self.send(command.encode() + b"\n")
        return next(line for line in iter(self.hear, "") if not line.startswith("1"))

    def serial(self):
        """Give the lines that the guest has written to its serial port."""
        return (self._folder / "serial").read_text(errors="replace").splitlines()

    def end(self):
        for stream in (self._monitor, self._agent):
            if stream:
                stream.close()
        self._process.kill()
        self._process.wait()
