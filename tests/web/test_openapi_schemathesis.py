"""Schemathesis asks a real server whatever the contract allows and what it does not, and judges every answer by it."""

import os
import re
import secrets
import subprocess
import sys
import time
from pathlib import Path

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig

from tests.web.contract import FILE
from tests.web.every_state import USER, EveryState

ROOT = Path(__file__).parents[2]
PATIENCE = 60
"""Seconds that the server has to come up."""
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/")
OPTIONS = {
    "ServerApp.ip": "127.0.0.1",
    "ServerApp.port": "0",
    "ServerApp.open_browser": "False",
    "ServerApp.allow_root": "True",
    "ServerApp.allow_unauthenticated_access": "False",
    "ServerApp.jpserver_extensions": "vmpool_ext=True",
    "VmPoolExtension.backend_class": f"{EveryState.__module__}.EveryState",
    "VmPoolExtension.user": USER,
}

# Names that there are, since hardly any is hit by chance. Not the pool that logs in: it refuses Ann, whatever she sends.
NAMES = {
    "pools": ["demo", "looking", "empty", "exhausted", "broken", "on", "off", "foreign", 'a b/"ü"%'],
    "vms": ["own off", "own on", "own stopping", "own spice", "own console in use", "looked at bobs", "foreign-1"],
}
CONFIG = SchemathesisConfig.from_dict(
    {
        "seed": 1,
        "generation": {"deterministic": True, "max-examples": 20, "database": "none"},
        "dictionaries": {kind: {"values": names} for kind, names in NAMES.items()},
        "parameters": {
            "path.pool": {"dictionary": "pools", "probability": 0.8},
            "path.vm": {"dictionary": "vms", "probability": 0.8},
        },
        "operations": [
            # What is sent is good but for its being plain HTTP, which a contract of HTTP cannot say.
            {"include-tag": "sockets", "checks": {"positive_data_acceptance": {"enabled": False}}},
        ],
    }
)

schema = schemathesis.openapi.from_path(FILE, config=CONFIG)


class Server:
    """A Jupyter Server with the extension, in a process of its own."""

    def __init__(self, home):
        self._log = home / "log"
        token = secrets.token_hex()
        self.headers = {"Authorization": f"token {token}"}
        options = [f"--{name}={value}" for name, value in OPTIONS.items()]
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


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("server"))
    yield server
    server.stop()


@schema.parametrize()
def test_whatever_is_asked_the_answer_is_as_promised(case, server):
    case.call_and_validate(base_url=server.api, headers=server.headers)


@schema.parametrize()
def test_whatever_a_stranger_asks_nothing_is_told_or_done(case, server):
    response = case.call(base_url=server.api)

    if response.request.method == "OPTIONS" and response.status_code == 200:
        assert response.content == b"", "Jupyter Server's, to all: a browser asks so before it sends a token"
    else:
        assert response.status_code in {400, 401, 405}
        assert set(response.json()) == {"code", "message", "reason"}
