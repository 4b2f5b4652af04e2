"""``jupyter vmpool demo``."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from importlib.resources import files
from typing import Any

import yaml
from jupyter_core.application import JupyterApp

from vmpool_ext._version import __version__
from vmpool_ext.app.missing import MISSING
from vmpool_ext.broker.clock import SystemClock
from vmpool_ext.domain.errors import BackendUnavailable, VmPoolError

USER = "demo"
"""Whom the demo pools are for, see guest/demo-pools.yaml."""


class DemoApp(JupyterApp):
    """Build the demo guest, define the demo pools, and open JupyterLab on them."""

    name = "jupyter-vmpool-demo"
    description = __doc__ or ""
    version = __version__

    def start(self) -> None:
        """Prepare, then become JupyterLab; what follows `--` on the command line is JupyterLab's."""
        try:
            self._prepare()
        except VmPoolError as error:
            sys.exit(f"error: {error}")
        except ImportError as error:
            sys.exit(MISSING.format(error=error))
        print("Opening JupyterLab; Ctrl-C ends it and switches the demo VMs off.", flush=True)
        self._become_lab()

    def _become_lab(self) -> None:
        from jupyterlab.labapp import LabApp  # noqa: PLC0415  # an extra that may be missing

        if not sys.stdin.isatty():
            # Without a terminal Jupyter Server dies of SIGINT and lets go of nothing; SIGTERM it takes as an order.
            signal.signal(signal.SIGINT, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
        self.clear_instance()
        LabApp.launch_instance(argv=self._lab_arguments())

    def _prepare(self) -> None:
        from vmpool_ext.backends.qemu.backend import QemuBackend  # noqa: PLC0415  # an extra that may be missing
        from vmpool_ext.backends.qemu.guest_image import (  # noqa: PLC0415
            GuestBuildError,
            build_image,
            default_cache,
        )

        try:
            build_image(default_cache(), lambda line: print(line, flush=True))
        except GuestBuildError as error:
            sys.exit(f"error: {error}")
        asyncio.run(_define(QemuBackend(SystemClock(), parent=self), demo_definitions()))

    def _lab_arguments(self) -> list[str]:
        arguments = [
            f"--VmPoolExtension.user={USER}",
            "--QemuBackend.stop_vms_on_exit=True",
            "--ServerApp.answer_yes=True",
            *self.extra_args,
        ]
        # Jupyter wants to be told so; who runs a demo as root has been told by their own prompt.
        return [*arguments, "--allow-root"] if os.geteuid() == 0 else arguments


def demo_definitions() -> list[dict[str, Any]]:
    """Give the resources of the demo pools."""
    text = (files("vmpool_ext") / "guest" / "demo-pools.yaml").read_text(encoding="utf-8")
    return [document for document in yaml.safe_load_all(text) if document]


async def _define(backend: Any, definitions: list[dict[str, Any]]) -> None:
    await backend.start()
    try:
        for definition in definitions:
            await backend.apply(definition)
    except BackendUnavailable as error:
        # Another server holds the store: this one opens all the same, and says so in its panel.
        print(f"note: {error}", flush=True)
    finally:
        await backend.stop()
