"""The command as it is typed, and a Jupyter server as it is started, with a home of their own."""

import asyncio
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import urllib.request
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from tests.backends.contract import PATIENCE
from tests.backends.qemu.machines import processes

TOKEN = "a-token"  # noqa: S105  # of a server that lives as long as its test
_ADDRESS = re.compile(rb"http://127\.0\.0\.1:(\d+)/")


class Home:
    """Runs commands here."""

    def __init__(self, folder):
        self.folder = folder
        self.store = folder / "state" / "store.sqlite"
        names = ("XDG_RUNTIME_DIR", "XDG_DATA_HOME", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR")
        self.environment = {name: value for name, value in os.environ.items() if name not in names} | {
            "HOME": str(folder)
        }
        self.options = [f"--QemuBackend.state_dir={folder}/state", f"--QemuBackend.run_dir={folder}/run"]

    def run(self, *command, stdout=asyncio.subprocess.PIPE):
        """Begin a process of Python."""
        return asyncio.create_subprocess_exec(
            sys.executable, "-m", *command, *self.options, "--QemuBackend.accelerator=tcg",
            cwd=self.folder, env={**self.environment, "PYTHONPATH": str(Path(__file__).parents[2])},
            stdin=asyncio.subprocess.PIPE, stdout=stdout, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip

    async def vmpool(self, *arguments, given=b""):
        """Type `jupyter vmpool`; give its status, and the lines of its output and of its complaints."""
        process = await self.run("vmpool_ext.app", *arguments)
        said, complained = await asyncio.wait_for(process.communicate(given), PATIENCE)
        assert b"Traceback" not in complained, complained.decode()
        return process.returncode, said.decode().splitlines(), complained.decode().splitlines()

    async def did(self, *arguments, given=b""):
        """Type what can be done; give the lines."""
        status, said, complained = await self.vmpool(*arguments, given=given)
        assert (status, complained) == (0, [])
        return said

    async def refused(self, *arguments, given=b""):
        """Type what cannot be done; give the complaints."""
        status, said, complained = await self.vmpool(*arguments, given=given)
        assert status != 0
        assert said == []
        return complained

    def write(self, name, text):
        file = self.folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        return str(file)

    @asynccontextmanager
    async def server(self, *options):
        """Start Jupyter Server with the extension; give it when it answers."""
        process = await self.run(
            "jupyter_server", "--ServerApp.jpserver_extensions={'vmpool_ext': True}", "--no-browser", "--allow-root",
            "--ServerApp.port=0", "--ServerApp.ip=127.0.0.1", f"--IdentityProvider.token={TOKEN}",
            f"--ServerApp.root_dir={self.folder}", "--VmPoolExtension.user=ann", *options,
        )  # fmt: skip
        draining = None
        try:
            async with asyncio.timeout(PATIENCE):
                while not (found := _ADDRESS.search(await process.stderr.readline())):
                    assert not process.stderr.at_eof()
            draining = asyncio.create_task(process.stderr.read())
            server = Server(process, int(found[1]))
            await server.until_it_listens()
            yield server
        finally:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.wait(), PATIENCE)
            if draining:
                await draining


class Server:
    """A server that answers."""

    def __init__(self, process, port):
        self.process = process
        self._address = f"127.0.0.1:{port}/vmpool/api/v1/"

    async def until_it_listens(self):
        """Look again and again: the address is printed a moment before."""
        async with asyncio.timeout(PATIENCE):
            while True:
                with suppress(OSError):
                    return await self.ask("health")
                await asyncio.sleep(0.05)

    async def ask(self, path, method="GET"):
        return await asyncio.to_thread(self._ask, path, method)

    def _ask(self, path, method):
        request = urllib.request.Request(  # our own server
            f"http://{self._address}{path}", method=method, headers={"Authorization": f"token {TOKEN}"},
            data=b"" if method == "POST" else None,
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:  # noqa: S310
            return json.load(response)

    @asynccontextmanager
    async def pictures(self):
        """Look as the panel does: give a function that waits until the picture is as wanted."""
        headers = {"Authorization": f"token {TOKEN}"}
        async with connect(f"ws://{self._address}updates", additional_headers=headers) as socket:

            async def until(holds):
                async with asyncio.timeout(PATIENCE):
                    while True:
                        pools = {pool["name"]: pool for pool in json.loads(await socket.recv())["pools"]}
                        if holds(pools):
                            return pools

            yield until


@pytest.fixture
def home():
    folder = Path(tempfile.mkdtemp(prefix="vmp-"))
    yield Home(folder)
    for process in processes(folder):
        os.kill(process, signal.SIGKILL)
    shutil.rmtree(folder)
