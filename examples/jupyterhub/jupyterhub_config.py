"""A JupyterHub with VM pools on this machine, to be tried: `make hub`, or docs/jupyterhub.md."""  # noqa: INP001  # a file of its own

import os
import sys
from pathlib import Path

c = get_config()  # noqa: F821  # JupyterHub gives it

URL = os.environ.get("VMPOOL_HUB_URL", "http://127.0.0.1:8000")
ACCESS = "access:services!service=vmpool"
HERE = Path(__file__).parent
STATE = Path.home() / ".local/share/vmpool-hub"
STATE.mkdir(parents=True, exist_ok=True, mode=0o700)

# The service that decides, with the VMs of this machine; for a cluster, name its backend here instead.
c.JupyterHub.services = [
    {
        "name": "vmpool",
        "url": os.environ.get("VMPOOL_SERVICE_ADDRESS", "http://127.0.0.1:18900"),
        "command": [sys.executable, "-m", "vmpool_ext.hub_service", "--config", str(HERE / "vmpool_service_config.py")],
        "environment": {key: os.environ[key] for key in ("HOME", "PATH", "XDG_RUNTIME_DIR") if key in os.environ},
        "display": False,
    }
]

# Who may use it: everybody, and their servers in their names. Not `oauth_client_allowed_scopes`: by that a server would hold the
# tokens of all who visit it.
c.JupyterHub.extra_user_scopes = [ACCESS]  # of JupyterHub 6; for 5: docs/jupyterhub.md
c.Spawner.server_token_scopes = ["users:activity!user", "access:servers!server", ACCESS]
c.Spawner.environment = {"VMPOOL_SERVICE_URL": f"{URL}/services/vmpool/"}

# What else a hub needs, as far as one that is only tried does: any name logs in, with one password.
c.JupyterHub.bind_url = URL
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = os.environ.get("VMPOOL_HUB_PASSWORD", "vmpool")
c.Authenticator.allow_all = True
c.Authenticator.admin_users = {"admin"}
c.JupyterHub.load_groups = {"lab": {"users": ["ann"]}, "course": {"users": ["ann", "bob"]}}
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = str(STATE / "{username}")
c.JupyterHub.db_url = f"sqlite:///{STATE / 'jupyterhub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(STATE / "cookie_secret")
c.ConfigurableHTTPProxy.pid_file = str(STATE / "proxy.pid")
if os.geteuid() == 0:
    c.Spawner.args = ["--allow-root"]
