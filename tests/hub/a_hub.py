"""A real JupyterHub with its proxy, the service, and users' servers, as processes of their own."""

import asyncio
import os
import secrets
import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import psutil

from tests.cluster.ports import free_ports

ROOT = Path(__file__).parents[2]
PROXY = ROOT / "labextension" / "node_modules" / ".bin" / "configurable-http-proxy"
ACCESS = "access:services!service=vmpool"
PATIENCE = 60
LOOK_AGAIN_AFTER = 0.1

CONFIG = """
import os, sys
c = get_config()
c.JupyterHub.bind_url = {url!r}
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub_port}"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
c.ConfigurableHTTPProxy.command = {proxy!r}
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.Authenticator.admin_users = {{"root-admin"}}
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = {homes!r}
c.Spawner.args = ["--allow-root"]
c.Spawner.http_timeout = c.Spawner.start_timeout = {patience}
c.JupyterHub.load_groups = {groups!r}
c.JupyterHub.services = [
    {{"name": "vmpool", "url": "http://127.0.0.1:{service_port}", "command": {service!r}, "environment": {environment!r},
      "display": False}},
    {{"name": "teacher", "api_token": {token!r}}},
]
c.JupyterHub.load_roles = [
    {{"name": "teacher", "services": ["teacher"],
      "scopes": ["admin:users", "admin:servers", "admin:groups", "tokens", "access:servers", {access!r}]}},
]
c.JupyterHub.extra_user_scopes = [{access!r}]
c.Spawner.server_token_scopes = ["users:activity!user", "access:servers!server", {access!r}]
c.Spawner.environment = {{**{environment!r}, "VMPOOL_SERVICE_URL": {url!r} + "/services/vmpool/"}}
"""


class Hub:
    """A hub in a folder of its own."""

    def __init__(self, folder, groups, service):
        self._folder = folder
        self._groups = groups
        self._service = service
        self.token = secrets.token_hex(16)
        self._ports = free_ports(4)
        self.url = f"http://127.0.0.1:{self._ports[0]}"
        self.log = folder / "hub.log"

    @asynccontextmanager
    async def running(self, **replaced):
        config = self._folder / "jupyterhub_config.py"
        config.write_text(self._config() + "".join(f"{option} = {value!r}\n" for option, value in replaced.items()))
        with self.log.open("wb") as log:
            self._process = process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "jupyterhub", "--config", str(config),
                cwd=self._folder, env={**os.environ, "PATH": _path()}, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            async with httpx.AsyncClient(base_url=self.url, timeout=PATIENCE) as self._client:
                await self._until_it_answers(process)
                yield self
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()

    async def ask(self, method, path, token="", **options):
        """Ask for an address under the proxy, with a token."""
        headers = (
            {"Authorization": f"token {token}", **options.pop("headers", {})} if token else options.pop("headers", {})
        )
        return await self._client.request(method, path, headers=headers, **options)

    async def administer(self, method, path, body=None):
        """Ask the hub's own API, as one who may do everything there."""
        answer = await self.ask(method, f"/hub/api/{path}", self.token, json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    async def token_of(self, user, *scopes):
        """Give a token of a user's, as one makes oneself on the page for it."""
        made = await self.administer("POST", f"users/{user}/tokens", {"scopes": list(scopes)} if scopes else {})
        return made["token"]

    async def start_server(self, user):
        """Have a user's server run."""
        await self.administer("POST", f"users/{user}/server")

        async def ready():
            return (await self.administer("GET", f"users/{user}"))["servers"].get("", {}).get("ready")

        await until(ready)

    def kill_service(self):
        """End the service where it stands."""
        [service] = [
            each for each in psutil.Process(self._process.pid).children() if "vmpool_ext.hub_service" in each.cmdline()
        ]
        service.kill()

    def _config(self):
        _, hub_port, proxy_port, service_port = self._ports
        command = [sys.executable, "-m", "vmpool_ext.hub_service", *self._service]
        return CONFIG.format(
            url=self.url, hub_port=hub_port, proxy_port=proxy_port, service_port=service_port, proxy=[str(PROXY)],
            homes=str(self._folder / "{username}"), patience=PATIENCE, groups=self._groups, service=command,
            environment={"PYTHONPATH": str(ROOT), "PATH": _path()}, token=self.token, access=ACCESS,
        )  # fmt: skip

    async def _until_it_answers(self, process):
        async def answers():
            assert process.returncode is None, self.log.read_text()
            return await self._answers()

        await until(answers)

    async def _answers(self):
        try:
            if (await self._client.get("/hub/health")).is_success:
                service = await self._client.get("/services/vmpool/vmpool/api/v1/me")
                return service.status_code == httpx.codes.UNAUTHORIZED
        except httpx.TransportError:
            pass
        return False


async def until(is_so):
    """Ask again and again, until it is so."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if await is_so():
                return
            await asyncio.sleep(LOOK_AGAIN_AFTER)


def _path():
    """Give where programs are: those of this environment before all others."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
