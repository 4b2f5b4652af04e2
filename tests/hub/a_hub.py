"""A real JupyterHub with its proxy, the service, and users' servers, as processes of their own."""

import asyncio
import os
import secrets
import signal
import ssl
import sys
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import ClassVar

import httpx
import trustme

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
c.Spawner.args = ["--allow-root", "--ServerApp.tornado_settings={{'ws_ping_interval': 1}}"]
c.JupyterHub.last_activity_interval = 1
c.JupyterHub.allow_named_servers = True
c.Spawner.http_timeout = c.Spawner.start_timeout = {patience}
c.JupyterHub.load_groups = {groups!r}
c.JupyterHub.services = [
    {{"name": "vmpool", "url": {service_url!r}, "display": False, **{service!r}}},
    {{"name": "teacher", "api_token": {token!r}}},
]
c.JupyterHub.load_roles = [
    {{"name": "teacher", "services": ["teacher"],
      "scopes": ["admin:users", "admin:servers", "admin:groups", "tokens", "access:servers", {access!r}]}},
]
c.JupyterHub.extra_user_scopes = [{access!r}]
c.Spawner.server_token_scopes = ["users:activity!user", "access:servers!server", {access!r}]
c.Spawner.environment = {{**{environment!r}, **{of_servers!r}, "VMPOOL_SERVICE_URL": {url!r} + "/services/vmpool/"}}
{more}
"""


class Hub:
    """A hub in a folder of its own, with the service as one of its processes."""

    tls = True
    """What a client verifies by."""
    of_servers: ClassVar = {}
    """What users' servers find in their environment besides."""
    more = ""
    """What else is configured."""

    def __init__(self, folder, groups, options):
        self._folder = folder
        self._groups = groups
        self._command = [sys.executable, "-m", "vmpool_ext.hub_service", *options]
        self.token = secrets.token_hex(16)
        self._ports = free_ports(4)
        self.url = f"http://127.0.0.1:{self._ports[0]}"
        self.log = folder / "hub.log"

    @asynccontextmanager
    async def running(self):
        config = self._folder / "jupyterhub_config.py"
        config.write_text(self._config())
        async with (
            self._process("-m", "jupyterhub", "--config", str(config)) as self._of_hub,
            httpx.AsyncClient(base_url=self.url, timeout=PATIENCE, verify=self.tls) as self._client,
            self._beside(),
        ):
            await self._until(self._of_hub, self._answers)
            await self._until(self._of_hub, self._serves)
            yield self

    @asynccontextmanager
    async def _process(self, *command, **environment):
        """Run Python until the end of the block; what it says is in the log."""
        with self.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, *command, cwd=self._folder, env={**os.environ, **self._environment, **environment},
                stdout=log, stderr=log,
            )  # fmt: skip
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()

    @asynccontextmanager
    async def _beside(self):
        """Run what else there is."""
        yield

    @property
    def _environment(self):
        return {"PYTHONPATH": str(ROOT), "PATH": _path()}

    @property
    def _service(self):
        """Give what the hub is told of the service."""
        return {"command": self._command, "environment": self._environment}

    @property
    def _service_url(self):
        return f"http://127.0.0.1:{self._ports[3]}"

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

    async def start_server(self, user, name=""):
        """Have a user's server run, or one of theirs that has a name."""
        await self.administer("POST", f"users/{user}/servers/{name}" if name else f"users/{user}/server")

        async def ready():
            return (await self.administer("GET", f"users/{user}"))["servers"].get(name, {}).get("ready")

        await until(ready)

    @contextmanager
    def frozen(self):
        """Have the hub itself answer nothing; its proxy goes on."""
        self._of_hub.send_signal(signal.SIGSTOP)
        yield
        self._of_hub.send_signal(signal.SIGCONT)

    async def last_activity(self, user):
        """Tell when the hub believes that somebody did something at a user's server."""
        return (await self.administer("GET", f"users/{user}"))["servers"][""]["last_activity"]

    def _config(self):
        _, hub_port, proxy_port, _ = self._ports
        return CONFIG.format(
            url=self.url, hub_port=hub_port, proxy_port=proxy_port, service_url=self._service_url, service=self._service,
            proxy=[str(PROXY)], homes=str(self._folder / "{username}"), patience=PATIENCE, groups=self._groups,
            environment=self._environment, of_servers=self.of_servers, token=self.token, access=ACCESS, more=self.more,
        )  # fmt: skip

    async def _until(self, process, is_so):
        async def so():
            assert process.returncode is None, self.log.read_text()
            return await is_so()

        await until(so)

    async def _answers(self):
        with suppress(httpx.TransportError):
            return (await self._client.get("/hub/health")).is_success

    async def _serves(self):
        return (await self._client.get("/services/vmpool/vmpool/api/v1/me")).status_code == httpx.codes.UNAUTHORIZED


class HubWithTls(Hub):
    """A hub whose proxy has a certificate of an authority of its own, which users' servers are told of by the usual variable."""

    def __init__(self, folder, groups, options):
        super().__init__(folder, groups, options)
        self.url = self.url.replace("http", "https", 1)
        authority = trustme.CA()
        certificate = authority.issue_cert("127.0.0.1")
        authority.cert_pem.write_to_path(str(folder / "authority.crt"))
        certificate.private_key_pem.write_to_path(str(folder / "tls.key"))
        certificate.cert_chain_pems[0].write_to_path(str(folder / "tls.crt"))
        self.tls = ssl.create_default_context(cafile=folder / "authority.crt")
        self.of_servers = {"SSL_CERT_FILE": str(folder / "authority.crt")}
        self.more = f"""
c.JupyterHub.ssl_key, c.JupyterHub.ssl_cert = {str(folder / "tls.key")!r}, {str(folder / "tls.crt")!r}
c.Spawner.pre_spawn_hook = lambda spawner: spawner.user.name == "bob" and spawner.environment.pop("SSL_CERT_FILE")
"""


class HubBesideService(Hub):
    """A hub that only knows where the service is, which is somebody else's process: a pod's, for one."""

    _service_token = secrets.token_hex(16)

    @asynccontextmanager
    async def _beside(self):
        async with AsyncExitStack() as self._stack:
            await self._start_service()
            yield

    async def restart_service(self):
        """Start it again, and wait until it serves."""
        await self._start_service()
        await self._until(self._of_service, self._serves)

    async def _start_service(self):
        self._of_service = await self._stack.enter_async_context(self._process(*self._command[1:], **self._told))

    async def kill_service(self):
        """End it where it stands."""
        self._of_service.kill()
        await self._of_service.wait()

    @property
    def _service(self):
        return {"api_token": self._service_token}

    @property
    def _told(self):
        return {
            "JUPYTERHUB_SERVICE_NAME": "vmpool",
            "JUPYTERHUB_SERVICE_PREFIX": "/services/vmpool/",
            "JUPYTERHUB_SERVICE_URL": self._service_url,
            "JUPYTERHUB_API_URL": f"http://127.0.0.1:{self._ports[1]}/hub/api",
            "JUPYTERHUB_API_TOKEN": self._service_token,
        }


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
