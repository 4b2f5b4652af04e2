"""A Jupyter Server with the extension, as others start it."""

import os
import re
import secrets
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE = 60
"""Seconds that the server has to come up."""
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/")
ALWAYS = {
    "ServerApp.ip": "127.0.0.1",
    "ServerApp.port": "0",
    "ServerApp.open_browser": "False",
    "ServerApp.allow_root": "True",
    "ServerApp.allow_unauthenticated_access": "False",
    "ServerApp.jpserver_extensions": "vmpool_ext=True",
}


class Server:
    """A Jupyter Server with the extension, in a process of its own."""

    def __init__(self, home, options):
        self._log = home / "log"
        token = secrets.token_hex()
        self.headers = {"Authorization": f"token {token}"}
        options = [f"--{name}={value}" for name, value in {**ALWAYS, **options}.items()]
        # The token is in the environment: a command line can be read by everybody.
        environment = {**os.environ, "HOME": str(home), "PYTHONPATH": str(ROOT), "JUPYTER_TOKEN": token}
        with self._log.open("w") as log:
            self._process = subprocess.Popen(  # noqa: S603  # our own command
                [sys.executable, "-m", "jupyter_server", *options],
                env=environment, cwd=home, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self.api = f"{self._address()}vmpool/api/v1"

    def _address(self):
        """Look again and again: what happens in another process tells nobody here."""
        end = time.monotonic() + PATIENCE
        while not (found := ADDRESS.search(self._log.read_text())):
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < end, self._log.read_text()
            time.sleep(0.05)
        return found[0]

    def stop(self):
        self._process.terminate()
        self._process.wait(PATIENCE)
