"""Finding the server whose kernel this is, and its token.

In this order: `VMPOOL_URL` and `VMPOOL_TOKEN`; what JupyterHub tells the servers that it starts, and they their kernels;
the runtime file of the server that started this kernel, or this terminal; the only server that runs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jupyter_core.paths import jupyter_runtime_dir

from vmpool_ext.client.errors import NoServer
from vmpool_ext.client.server import Server, named_server

if TYPE_CHECKING:
    from collections.abc import Mapping

_EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "*": "127.0.0.1", "::": "[::1]"}  # noqa: S104  # listens to nothing
"""What a server listens to that listens everywhere, and where it is reached then."""

_HOW_TO_NAME_ONE = "Set VMPOOL_URL to the server's address and VMPOOL_TOKEN to its token, or give both to the client."


def find_server(environ: Mapping[str, str], ca_file: str | None = None) -> Server:
    """Find the server; raise `NoServer` where none can be meant or there is no token for it."""
    if url := environ.get("VMPOOL_URL"):
        return named_server(url, environ.get("VMPOOL_TOKEN"), ca_file)
    return _of_hub(environ, ca_file) or _from_file(_own(environ) or _only(), environ, ca_file)


def _of_hub(environ: Mapping[str, str], ca_file: str | None) -> Server | None:
    """Give the single-user server in which this runs; it is asked itself, not by way of the hub's proxy."""
    url, token = environ.get("JUPYTERHUB_SERVICE_URL"), environ.get("JUPYTERHUB_API_TOKEN")
    if not url or not token or not urlsplit(url).port:
        return None
    parts = urlsplit(url)
    base = environ.get("JUPYTERHUB_SERVICE_PREFIX") or parts.path or "/"
    files = [environ.get(f"JUPYTERHUB_SSL_{each}", "") for each in ("CERTFILE", "KEYFILE")]
    return Server(
        f"{parts.scheme}://{_reached_at(parts.hostname or '')}:{parts.port}{base.rstrip('/')}/",
        environ.get("VMPOOL_TOKEN") or token,
        ca_file=ca_file or environ.get("JUPYTERHUB_SSL_CLIENT_CA") or None,
        certificate=(files[0], files[1]) if all(files) else None,
        found=True,
    )


def _own(environ: Mapping[str, str]) -> Mapping[str, Any] | None:
    """Read the file of the server that is this kernel's parent, or whose terminal this is.

    By its name, without `list_running_servers`: loading that takes a kernel seconds.
    """
    runtime = Path(jupyter_runtime_dir())
    parent, url = environ.get("JPY_PARENT_PID"), environ.get("JUPYTER_SERVER_URL")
    if parent and (info := _read(runtime / f"jpserver-{parent}.json")):
        return info
    found = (_read(file) for file in sorted(runtime.glob("jpserver-*.json"))) if url else ()
    return next((info for info in found if info and info.get("url") == url), None)


def _only() -> Mapping[str, Any]:
    """Give the only server that runs for this account."""
    from jupyter_server.serverapp import list_running_servers  # noqa: PLC0415  # takes seconds, and is rarely needed

    running = list(list_running_servers())
    if not running:
        message = f"No Jupyter server runs here. Start one, for example with jupyter lab. {_HOW_TO_NAME_ONE}"
        raise NoServer(NoServer.kind, message)
    if len(running) > 1:
        urls = ", ".join(sorted(each["url"] for each in running))
        message = f"Several Jupyter servers run here, and this is a kernel of none of them: {urls}. {_HOW_TO_NAME_ONE}"
        raise NoServer(NoServer.kind, message)
    return running[0]  # type: ignore[no-any-return]  # what a JSON file says


def _from_file(info: Mapping[str, Any], environ: Mapping[str, str], ca_file: str | None) -> Server:
    token = environ.get("VMPOOL_TOKEN") or info.get("token") or environ.get("JUPYTERHUB_API_TOKEN") or ""
    if not token and info.get("password"):
        message = (
            f"The Jupyter server {info['url']} lets in by a password only, which a notebook has not. "
            "Start it with a token too, in the environment variable JUPYTER_TOKEN: it is found by itself then."
        )
        raise NoServer(NoServer.kind, message)
    if info.get("sock"):
        return Server(f"http://localhost{info['base_url']}", token, socket=info["sock"], found=True)
    return Server(_url(info), token, ca_file=ca_file, found=True)


def _url(info: Mapping[str, Any]) -> str:
    """Give the address by which the server is reached from here; of one with a certificate, as its own name says it."""
    if info.get("secure") or info.get("hostname") not in _EVERYWHERE:
        return str(info["url"])
    return f"http://{_reached_at(info['hostname'])}:{info['port']}{info['base_url']}"


def _reached_at(host: str) -> str:
    return _EVERYWHERE.get(host, f"[{host}]" if ":" in host else host)


def _read(file: Path) -> Mapping[str, Any] | None:
    try:
        info = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return info if isinstance(info, dict) else None
