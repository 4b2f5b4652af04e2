"""VM pools for Jupyter: the hooks by which Jupyter finds the extension."""

from __future__ import annotations

from typing import Any


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "vmpool-ext"}]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from vmpool_ext.server_extension import VmPoolExtension  # noqa: PLC0415  # the rest of the package needs no server

    return [{"module": "vmpool_ext", "app": VmPoolExtension}]
