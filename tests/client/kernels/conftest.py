"""Real Jupyter Servers in processes of their own, and real kernels of theirs."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import nbformat
import pytest
from jupyter_client import BlockingKernelClient

from tests.client.backends import PacedBackend

ROOT = Path(__file__).parents[3]
PORT = ("--ServerApp.port=0",)
PATIENCE = 120
"""Seconds; a busy machine takes its time."""


def until(holds):
    """Look again and again: what happens in other processes tells nobody here."""
    end = time.monotonic() + PATIENCE
    while not (found := holds()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


class JupyterServer:
    """A server as `jupyter server` starts it, on the memory backend."""

    def __init__(self, home, *options):
        self.home = home
        self._runtime = home / "runtime"
        environment = {
            **os.environ, "HOME": str(home), "JUPYTER_RUNTIME_DIR": str(self._runtime), "PYTHONPATH": str(ROOT),
            "JUPYTER_CONFIG_DIR": str(home / "config"), "JUPYTER_DATA_DIR": str(home / "data"), "IPYTHONDIR": str(home),
        }  # fmt: skip
        with (home / "log").open("w") as log:
            self._process = subprocess.Popen(  # noqa: S603  # our own command
                [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", f"--ServerApp.root_dir={home}",
                 *(f"--ServerApp.jpserver_extensions={name}=False" for name in ("jupyterlab", "jupyter_lsp")),
                 f"--VmPoolExtension.backend_class={PacedBackend.__module__}.PacedBackend", "--VmPoolExtension.user=ann",
                 *options],
                env=environment, cwd=home, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def begin(self):
        """Wait until it answers."""
        until(lambda: self._answers() or self._process.poll() is not None)
        assert self._process.poll() is None, (self.home / "log").read_text()
        return self

    def _answers(self):
        with suppress(OSError, ValueError, httpx.HTTPError):
            return self.ask("GET", "vmpool/api/v1/health")

    @property
    def info(self):
        """What it says of itself."""
        file = self._runtime / f"jpserver-{self._process.pid}.json"
        return httpx.Response(200, content=file.read_bytes()).json()

    def ask(self, method, path, body=None):
        """Ask it, as its own front end does."""
        info, headers = self.info, {"Cookie": "_xsrf=61", "X-XSRFToken": "61"}
        if info["token"]:
            headers = {"Authorization": f"token {info['token']}"}
        base = f"http://localhost{info['base_url']}" if info["sock"] else info["url"]
        transport = httpx.HTTPTransport(uds=info["sock"] or None)
        with httpx.Client(transport=transport, headers=headers, trust_env=False, timeout=PATIENCE) as http:
            response = http.request(method, base + path, json=body)
        response.raise_for_status()
        return response.json() if response.content else None

    def kernel(self):
        """Open a notebook."""
        return a_kernel(self.ask, self._runtime)

    def end(self):
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(PATIENCE)


@contextmanager
def a_kernel(ask, runtime):
    """Open a notebook: a session with a kernel, asked for as a front end does."""
    opened = {"path": "some.ipynb", "name": "some.ipynb", "type": "notebook", "kernel": {"name": "python3"}}
    address = f"api/kernels/{ask('POST', 'api/sessions', opened)['kernel']['id']}"
    client = BlockingKernelClient(connection_file=str(runtime / f"kernel-{address.rpartition('/')[2]}.json"))
    client.load_connection_file()
    # Without the heartbeat: a kernel of a busy machine that misses a beat is not dead.
    client.start_channels(hb=False)
    try:
        client.wait_for_ready(timeout=PATIENCE)
        yield Kernel(client, lambda: ask("POST", f"{address}/interrupt"))
    finally:
        client.stop_channels()
        ask("DELETE", address)


class Kernel:
    """A kernel of a server, as a notebook uses it."""

    def __init__(self, client, interrupt):
        self._client = client
        self.interrupt = interrupt
        """Press the square."""

    def run(self, code):
        """Run a cell; give what it shows, the last of each display."""
        shown, named = [], {}

        def on_output(message):
            content, kind = message["content"], message["msg_type"]
            if kind == "error":
                shown.append(("error", "\n".join([content["ename"], content["evalue"], *content["traceback"]])))
            elif kind == "stream":
                shown.append(("text", content["text"]))
            elif kind == "update_display_data":
                named[content["transient"]["display_id"]].append(content["data"])
            elif kind in ("display_data", "execute_result"):
                updates = named.setdefault(content.get("transient", {}).get("display_id"), [])
                updates.append(content["data"])
                shown.append(("shown", updates))

        self._client.execute_interactive(code, output_hook=on_output, allow_stdin=False, timeout=PATIENCE)
        return shown

    def text(self, code):
        """Run a cell that prints."""
        shown = self.run(code)
        assert all(kind == "text" for kind, _ in shown), shown
        return "".join(text for _, text in shown).strip()


@pytest.fixture(scope="module")
def a_server():
    started = []

    def start(*options):
        # Its path is short enough for a socket.
        home = Path(tempfile.mkdtemp(prefix="vmp-"))
        started.append(JupyterServer(home, *(options or PORT)))
        return started[-1].begin()

    yield start
    for server in started:
        server.end()
        shutil.rmtree(server.home)


@pytest.fixture(scope="module")
def server(a_server):
    """One that is not the only one."""
    a_server()
    return a_server()


def code_cells(path):
    """What a reader of a notebook runs, in order."""
    return [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
