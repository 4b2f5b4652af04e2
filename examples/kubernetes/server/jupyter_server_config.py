"""Configuration of the shared server. There is no secret in it: the token comes by JUPYTER_TOKEN."""  # noqa: INP001  # a file of its own

from pathlib import Path

from jupyter_server.auth.authorizer import Authorizer

c = get_config()  # noqa: F821  # Jupyter gives it


class PoolsOnly(Authorizer):
    """Lets nobody run or write anything here but by VM pools: a kernel could read this pod's token."""

    def is_authorized(self, handler, user, action, resource):  # noqa: ANN001, ANN201, ARG002, D102  # Jupyter's own signature
        return resource == "vmpool" or action == "read"


c.ServerApp.ip = "0.0.0.0"  # noqa: S104  # the pod's own network; TLS is before it
c.ServerApp.port = 8888
c.ServerApp.open_browser = False
c.ServerApp.allow_remote_access = True
c.ServerApp.root_dir = str(Path.home())
c.ServerApp.terminals_enabled = False
c.ServerApp.authorizer_class = PoolsOnly
c.LabApp.extension_manager = "readonly"

c.VmPoolExtension.backend_class = "vmpool_ext.backends.kubernetes.backend.KubernetesBackend"
# Whoever holds the server's token is this user, in these roles.
c.VmPoolExtension.user = "ann"
c.VmPoolExtension.roles = ["student"]

# The cluster, the account and the namespace are those of the pod; other options as they are by default.
c.KubernetesBackend.request_timeout = 10
c.KubernetesBackend.login_timeout = 60
c.KubernetesBackend.preferred_ip_version = "ipv4"
c.KubernetesBackend.password_validity = 10
