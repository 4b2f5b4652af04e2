"""Root 2: ``jupyter vmpool``, what an administrator types."""

from __future__ import annotations

import os
import sys
from typing import Any

from jupyter_core.application import JupyterApp, NoStart

from vmpool_ext._version import __version__
from vmpool_ext.app.demo import DemoApp
from vmpool_ext.app.resources import ApplyApp, DeleteApp, GetApp

_NOT_HEARD = 141
"""As of what ends by SIGPIPE."""


class VmPoolApp(JupyterApp):
    """VM pools of one machine, and the service of a JupyterHub."""

    name = "jupyter-vmpool"
    description = __doc__ or ""
    version = __version__
    subcommands: dict[str, Any] = {  # noqa: RUF012  # as the base class has it
        "apply": (ApplyApp, "Define pools and VMs, or define them anew, by YAML files."),
        "get": (GetApp, "Show pools and VMs."),
        "delete": (DeleteApp, "Remove pools and VMs."),
        # By its name: it needs an extra that may be missing.
        "service": (
            "vmpool_ext.hub_service.service.VmPoolService",
            "Decide for all users of a JupyterHub, as one of its services.",
        ),
        "demo": (DemoApp, "Build the demo guest, define the demo pools, and open JupyterLab on them."),
    }

    def start(self) -> None:
        """Run the subcommand, or say which there are."""
        try:
            super().start()
        except NoStart:
            return
        if self.subapp is None and self.extra_args:
            sys.exit(f"error: there is no command {self.extra_args[0]}: {', '.join(self.subcommands)}.")
        if self.subapp is None:
            self.print_help()


def main() -> None:
    """Run ``jupyter vmpool``."""
    try:
        try:
            VmPoolApp.launch_instance()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads has heard enough, as `head` does; the interpreter must not try to say the rest when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(_NOT_HEARD)
