"""The hub of examples/jupyterhub, with its pools of real VMs, as `make hub` runs it; and one more service, by which a test is its administrator."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import psutil

from tests.cluster.ports import free_ports
from vmpool_ext.backends.qemu.guest_image import build_image, default_cache

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "jupyterhub"
PATIENCE = 120
LOOK_AGAIN_AFTER = 0.1

CONFIG = """
load_subconfig({example!r})
c.JupyterHub.hub_port = {hub_port}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
c.JupyterHub.services[0]["command"] += ["--VmPoolService.recheck=2"]
c.JupyterHub.services[0]["environment"]["XDG_CACHE_HOME"] = {cache!r}
c.JupyterHub.services.append({{"name": "teacher", "api_token": {token!r}}})
c.JupyterHub.load_roles = [{{"name": "teacher", "services": ["teacher"], "scopes": ["admin:groups"]}}]
"""


class ExampleHub:
    """A hub in a home of its own."""

    def __init__(self, home):
        self._home = home
        self._log = home / "log"
        self._token = secrets.token_hex(16)
        port, hub_port, proxy_port, service_port = free_ports(4)
        self.url = f"http://127.0.0.1:{port}"
        cache = default_cache()
        build_image(cache, lambda _: None)
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "JUPYTER"))},
            "HOME": str(home),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), str(ROOT / "labextension/node_modules/.bin"), os.environ["PATH"]]),
            "VMPOOL_HUB_URL": self.url,
            "VMPOOL_SERVICE_ADDRESS": f"http://127.0.0.1:{service_port}",
        }  # fmt: skip
        config = home / "jupyterhub_config.py"
        config.write_text(
            CONFIG.format(example=str(EXAMPLE / "jupyterhub_config.py"), hub_port=hub_port, proxy_port=proxy_port,
                          cache=str(cache.parents[1]), token=self._token)
        )  # fmt: skip
        self._run("-m", "vmpool_ext.app", "apply", "-f", str(EXAMPLE / "pools.yaml")).wait(PATIENCE)
        self._hub = self._run("-m", "jupyterhub", "--config", str(config))
        self.until(self._answers)

    def change_group(self, how, group, user):
        """Add somebody to a group (POST), or take them out (DELETE)."""
        request = urllib.request.Request(  # noqa: S310  # our own hub
            f"{self.url}/hub/api/groups/{group}/users",
            method=how,
            data=json.dumps({"users": [user]}).encode(),
            headers={"Authorization": f"token {self._token}"},
        )
        urllib.request.urlopen(request).close()  # noqa: S310

    def kill_service(self):
        """End it where it stands; the hub starts it again when it looks next."""
        children = psutil.Process(self._hub.pid).children()
        [service] = [each for each in children if "vmpool_ext.hub_service" in each.cmdline()]
        service.kill()

    def until(self, holds):
        """Look again and again: what happens in other processes tells nobody here."""
        end = time.monotonic() + PATIENCE
        while not (found := holds()):
            assert time.monotonic() < end, self.log
            time.sleep(LOOK_AGAIN_AFTER)
        return found

    @property
    def log(self):
        return self._log.read_text()

    def end(self):
        self._hub.send_signal(signal.SIGTERM)
        self._hub.wait(PATIENCE)

    def _run(self, *command):
        with self._log.open("a") as log:
            return subprocess.Popen(  # noqa: S603  # our own command
                [sys.executable, *command], env=self._environment, cwd=self._home, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )  # fmt: skip

    def _answers(self):
        assert self._hub.poll() is None, self.log
        with suppress(OSError):
            urllib.request.urlopen(f"{self.url}/hub/health").close()  # noqa: S310
            return "serving" in self.log
