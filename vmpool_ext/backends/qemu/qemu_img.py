"""The program ``qemu-img``: looks at images, and makes overlays. Blocking."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

from vmpool_ext.backends.qemu.process import environment, find_program
from vmpool_ext.domain.errors import BackendUnavailable

if TYPE_CHECKING:
    from pathlib import Path

_WITHIN = 30
"""Seconds: it reads and writes some kilobytes."""


def info(image: Path) -> dict[str, Any]:
    """Tell what an image says of itself; nothing that it refers to is opened."""
    told: dict[str, Any] = json.loads(_run("info", "--output=json", str(image)))
    return told


def create_overlay(overlay: Path, base: str, base_format: str) -> None:
    """Make a disk that reads from its base and never writes to it."""
    _run("create", "-q", "-f", "qcow2", "-b", base, "-F", base_format, str(overlay))


def _run(*arguments: str) -> str:
    program = find_program("qemu-img")
    if program is None:
        message = "qemu-img is not installed: apt install qemu-utils"
        raise BackendUnavailable(message)
    try:
        done = subprocess.run(  # noqa: S603  # no shell, and every path is absolute, so that none is an option
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=_WITHIN,
            env=environment(),
        )
    except subprocess.CalledProcessError as error:
        words = " ".join(error.stderr.decode(errors="replace").split())[:256]
        message = words or f"qemu-img ended with status {error.returncode}."
        raise BackendUnavailable(message) from error
    except subprocess.TimeoutExpired as error:
        message = f"qemu-img did not end within {_WITHIN} seconds: is the disk of the image there? Press Start again."
        raise BackendUnavailable(message) from error
    return done.stdout.decode()
