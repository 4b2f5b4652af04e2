"""A real JupyterLab with our server extension in front of real machines whose displays are SPICE."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.spice_machine import PATIENCE, SpiceMachine
from tests.story.played_lab import port_of
from tests.story.spice_backend import DESK, LAB, MACHINES
from vmpool_ext.backends.qemu.guest_image import build_image, default_cache

ROOT = Path(__file__).parents[2]


class SpiceLab:
    """The server, and the machines behind it."""

    def __init__(self, port, token, machines, log):
        self._port, self._token, self.machines, self._log = port, token, machines, log

    @property
    def address(self):
        return f"http://127.0.0.1:{self._port}/lab?reset&token={self._token}"

    @property
    def log(self):
        return self._log.read_text()

    def ask(self, path, method="GET"):
        """Ask the API, as a notebook does."""
        request = urllib.request.Request(  # our own server
            f"http://127.0.0.1:{self._port}/vmpool/api/v1/{path}",
            method=method,
            data=b"" if method == "POST" else None,
            headers={"Authorization": f"token {self._token}"},
        )
        with urllib.request.urlopen(request) as response:  # noqa: S310
            return json.load(response)


@contextmanager
def a_spice_lab():
    """Start machines and server, and end them."""
    home = Path(tempfile.mkdtemp(prefix="vmp-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home)
        image = build_image(default_cache(), lambda _: None)
        machines = {name: stack.enter_context(running(home / name, image)) for name in (DESK, LAB)}
        token = secrets.token_hex()
        backend = {"VmPoolExtension.backend_class": "tests.story.spice_backend.SpiceBackend"}
        port = stack.enter_context(serving(home, token, backend, {MACHINES: str(home)}))
        for machine in machines.values():
            machine.wait_for_greeting()
        yield SpiceLab(port, token, machines, home / "log")


@contextmanager
def running(folder, image):
    """Start a machine, and end it."""
    machine = SpiceMachine(folder)
    machine.start(image)
    try:
        yield machine
    finally:
        machine.stop()


@contextmanager
def serving(home, token, options, environment=None):
    """Start JupyterLab for ann with these options; give its port."""
    own = {
        "HOME": str(home),
        "JUPYTER_TOKEN": token,
        "JUPYTER_PLATFORM_DIRS": "0",
        "PYTHONPATH": str(ROOT),
        **(environment or {}),
    }
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("JUPYTER_", "XDG_"))}
    # JupyterLab's own question about news.
    asked = home / ".jupyter/lab/user-settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    asked.parent.mkdir(parents=True)
    asked.write_text('{"fetchNews": "false"}')
    with (home / "log").open("w") as log:
        process = subprocess.Popen(  # noqa: S603  # our own command
            [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", "--ServerApp.port=0",
             f"--ServerApp.root_dir={home}", "--LabApp.expose_app_in_browser=True", "--VmPoolExtension.user=ann",
             "--ServerApp.jpserver_extensions={'vmpool_ext': True}",
             *(f"--{name}={value}" for name, value in options.items())],
            env={**inherited, **own}, cwd=home, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        yield port_of(home / "log")
    finally:
        process.terminate()
        process.wait(PATIENCE)
