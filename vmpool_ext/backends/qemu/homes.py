"""Folders that several guests have as their /home, by 9p: what one VM writes its user finds in the next."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from vmpool_ext.backends.qemu.annotations import said_of
from vmpool_ext.backends.qemu.store import check_name
from vmpool_ext.domain.errors import BackendUnavailable, InvalidDefinition

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

HOME_ANNOTATION = "vmpool-ext.jupyter.org/home"

_PROBE = "user.vmpool-ext"


def home_of(vm: Mapping[str, Any], pools: Iterable[Mapping[str, Any]]) -> str | None:
    """Name the shared home of the VM, if it has one: its own, else that of its pools."""
    home = said_of(vm, pools, HOME_ANNOTATION)
    if home is None:
        return None
    try:
        return check_name(home)
    except InvalidDefinition as error:
        message = f"The home is a name, not a path: {error} Mend the annotation {HOME_ANNOTATION}."
        raise InvalidDefinition(message) from error


def prepare_home(directory: Path, name: str) -> Path:
    """Give the folder of a shared home, made if need be; `BackendUnavailable` where it cannot be one. Blocking."""
    # Absolute, so that no path is taken for an option.
    folder = (directory / name).absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Guests' owners and permissions are kept there: for that no server needs to be root.
        os.setxattr(folder, _PROBE, b"")
        os.removexattr(folder, _PROBE)
    except OSError as error:
        message = (
            f"The shared home {folder} cannot be used: {error.strerror}. Set QemuBackend.homes_dir to a folder of yours "
            "on a file system with extended attributes, such as ext4, XFS or Btrfs."
        )
        raise BackendUnavailable(message) from error
    return folder
