"""A real server as carelessly started as can be, with a real VM whose console is open."""

import asyncio
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.backends.qemu import viewer
from tests.backends.qemu.definitions import a_pool_resource, a_vm_resource
from tests.backends.qemu.machines import processes
from tests.backends.qemu.tiny_guests import with_image
from vmpool_ext.broker.ports import DisplayOffer

ROOT = Path(__file__).parents[2]
PATIENCE = 60
POOL, VM = "lab", "lab-1"
_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)/")
_OF_JUPYTER = ("JUPYTER", "JPY", "XDG_")


class Server:
    """Whoever started it thought of nothing: its umask is 0, it talks of everything, and it lies beside strange files."""

    def __init__(self, home, stack):
        self.home = home
        self.state, self.run = home / "a" / "state", home / "b" / "run"
        self.log_file = home / "log"
        self.token, self.guest_password = secrets.token_hex(), secrets.token_hex()
        self.others_secrets = {
            name: secrets.token_hex() for name in ("JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN", "API_KEY")
        }
        self.inherited = home / "inherited"
        self.inherited.write_text("open to whoever inherits it")
        self.work = home / "work"
        self.work.mkdir()
        (self.work / "bios-256k.bin").write_text("not what this machine's guests should boot with")
        self.process = self._begin(stack)
        stack.callback(self._end)
        self.port = int(self.until(lambda: _ADDRESS.search(self.log))[1])
        self.until(lambda: self.ask("health")[0] == 200)

    def _begin(self, stack):
        kept = {name: text for name, text in os.environ.items() if not name.startswith(_OF_JUPYTER)}
        environment = {**kept, **self.others_secrets, "HOME": str(self.home), "PYTHONPATH": str(ROOT)}
        environment["JUPYTER_TOKEN"] = self.token
        inherited = stack.enter_context(self.inherited.open())
        log = stack.enter_context(self.log_file.open("w"))
        return subprocess.Popen(  # noqa: S603  # our own command
            [sys.executable, "-m", "jupyter_server", "--ServerApp.jpserver_extensions={'vmpool_ext': True}", "--debug",
             "--no-browser", "--allow-root", "--ServerApp.port=0", "--ServerApp.ip=127.0.0.1", "--VmPoolExtension.user=ann",
             f"--QemuBackend.state_dir={self.state}", f"--QemuBackend.run_dir={self.run}",
             "--QemuBackend.accelerator=tcg", "--QemuBackend.stop_vms_on_exit=True"],
            env=environment, cwd=self.work, stdin=subprocess.DEVNULL, stdout=log, stderr=log, umask=0,
            pass_fds=[inherited.fileno()],
        )  # fmt: skip

    def _end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)

    @property
    def log(self):
        return self.log_file.read_text()

    @property
    def machine(self):
        """The process of the VM."""
        [found] = processes(self.run)
        return found

    def until(self, holds):
        """Look again and again: what happens in other processes tells nobody here."""
        end = time.monotonic() + PATIENCE
        while not (found := holds()):
            assert self.process.poll() is None, self.log
            assert time.monotonic() < end, self.log
            time.sleep(0.05)
        return found

    def ask(self, path, method="GET", **headers):
        """Give status and body, whatever the status is."""
        request = urllib.request.Request(  # our own server
            f"http://127.0.0.1:{self.port}/vmpool/api/v1/{path}",
            method=method,
            data=b"" if method == "POST" else None,
            headers={"Authorization": f"token {self.token}", **headers},
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as response:  # noqa: S310
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        except OSError:
            return 0, None

    def define(self, *resources):
        command = [sys.executable, "-m", "vmpool_ext.app", "apply", "-f", "-", f"--QemuBackend.state_dir={self.state}"]
        text = "\n---\n".join(map(json.dumps, resources))
        environment = {**os.environ, "HOME": str(self.home), "PYTHONPATH": str(ROOT)}
        subprocess.run(  # noqa: S603  # our own command
            command, input=text, env=environment, check=True, capture_output=True, text=True, timeout=PATIENCE
        )

    def pool(self):
        return self.ask(f"pools/{POOL}")[1]


class Console:
    """An open one, and all that was needed to open it."""

    def __init__(self, server, stack):
        self.server = server
        _, offer = server.ask(f"pools/{POOL}/console", "POST")
        self.ticket, self.password = offer["ticket"], offer["password"]
        address = f"ws://127.0.0.1:{server.port}/vmpool/api/v1/{offer['url']}?ticket={self.ticket}"
        headers = {"Authorization": f"token {server.token}"}
        self._socket = stack.enter_context(connect(address, additional_headers=headers))
        asyncio.run(viewer.look(self, DisplayOffer("vnc", self.password)))
        server.until(lambda: server.pool()["vm"]["console"] == "open")

    async def read(self):
        return self._socket.recv()

    async def write(self, data):
        self._socket.send(data)

    def every_secret(self):
        """Also what the VM's definition says, which is kept."""
        return {**self.secrets(), "the guest's password": self.server.guest_password}

    def secrets(self):
        """What only server and browser know, by what it is."""
        return {
            "the server's token": self.server.token,
            "the ticket": self.ticket,
            "the display's password": self.password,
            **self.server.others_secrets,
        }


@contextmanager
def a_folder():
    """One with a path short enough for sockets, whose machines do not outlive it."""
    home = Path(tempfile.mkdtemp(prefix="vmp-"))
    try:
        yield home
    finally:
        for process in processes(home):
            os.kill(process, signal.SIGKILL)
        shutil.rmtree(home)


@pytest.fixture
def home():
    with a_folder() as home:
        yield home


@pytest.fixture(scope="session")
def console():
    """Of a VM with a disk of its own, and a password for its guest."""
    with a_folder() as home, ExitStack() as stack:
        server = Server(home, stack)
        image = home / "base.raw"
        image.write_bytes(bytes(2**20))
        vm = with_image(a_vm_resource(VM, guest=None, pools=[POOL], powerdownTimeout=0), image)
        vm["spec"]["cloudInit"] = {"userData": {"password": server.guest_password}}
        server.define(a_pool_resource(POOL), vm)
        server.until(lambda: server.pool().get("total"))
        server.ask(f"pools/{POOL}/start", "POST")
        server.until(lambda: server.pool()["vm"]["state"] == "running")
        yield Console(server, stack)
