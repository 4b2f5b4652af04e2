"""The disks of VMs: each an overlay of its own on a base image that nobody writes to.

Blocking. A disk is either there with all that belongs to it, or not at all, whenever we are killed.
"""

from __future__ import annotations

import json
import os
import tempfile
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from vmpool_ext.backends.qemu import images, qemu_img
from vmpool_ext.backends.qemu.images import Base
from vmpool_ext.backends.qemu.places import short_name
from vmpool_ext.domain.errors import BackendUnavailable, InvalidDefinition

_BEGIN_ANEW = "or delete the VM and define it again: it then begins with a fresh disk"


@dataclass(frozen=True, slots=True)
class Disk:
    """A VM's disk."""

    overlay: Path
    base: Base
    identity: str
    """No other disk has it, nor has this one after it was discarded."""


class Disks:
    """Those of all VMs."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def prepare(self, vm: str, image: Path) -> Disk:
        """Give the VM's disk, made on this image if it has none; `InvalidDefinition` if its base is not what it was."""
        if self.has_overlay(vm):
            # Made on another image, it stays on that: a pool's new image is for its next disks.
            disk = self._read(vm)
            _require_unchanged(disk.base)
            return disk
        return self._make(vm, images.inspect(image))

    def has_overlay(self, vm: str) -> bool:
        """Whether the VM was begun on a disk that it still has."""
        return self._overlay(vm).exists()

    def discard(self, vm: str) -> None:
        """Remove the disk: the next start makes a fresh one."""
        # The overlay first: what belongs to a disk that is not there is written anew with the next.
        for path in (self._overlay(vm), self._record(vm)):
            path.unlink(missing_ok=True)

    def remove(self, vm: str) -> None:
        """Remove everything of a VM."""
        self.discard(vm)
        self.seed(vm).unlink(missing_ok=True)
        self._remove_drafts(vm)

    def seed(self, vm: str) -> Path:
        """Tell where the VM's seed for cloud-init is."""
        return self._path(vm, ".iso")

    def _make(self, vm: str, base: Base) -> Disk:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._remove_drafts(vm)
        disk = Disk(self._overlay(vm), base, uuid.uuid4().hex)
        overlay = self._draft(vm)
        qemu_img.create_overlay(overlay, base.path, base.format)
        record = self._draft(vm)
        record.write_text(json.dumps({"vm": vm, "identity": disk.identity, "base": asdict(base)}))
        # The overlay last: it is what makes the disk be there.
        _put(record, self._record(vm))
        _put(overlay, disk.overlay)
        return disk

    def _read(self, vm: str) -> Disk:
        try:
            known = json.loads(self._record(vm).read_text())
            return Disk(self._overlay(vm), Base(**known["base"]), str(known["identity"]))
        except (OSError, ValueError, TypeError, KeyError) as error:
            message = (
                f"Nobody knows which image the VM's disk was begun on: {self._record(vm)} cannot be read. "
                f"Put it back, {_BEGIN_ANEW}."
            )
            raise BackendUnavailable(message) from error

    def _draft(self, vm: str) -> Path:
        # A name that no other process has: of a server that was killed, qemu-img may still be at work.
        file, path = tempfile.mkstemp(prefix=f"{short_name(vm)}.", suffix=".new", dir=self._directory)
        os.close(file)
        return Path(path)

    def _remove_drafts(self, vm: str) -> None:
        for draft in self._directory.glob(f"{short_name(vm)}.*.new"):
            draft.unlink(missing_ok=True)

    def _overlay(self, vm: str) -> Path:
        return self._path(vm, ".qcow2")

    def _record(self, vm: str) -> Path:
        return self._path(vm, ".json")

    def _path(self, vm: str, suffix: str) -> Path:
        # Absolute, so that no path is taken for an option or a protocol.
        return (self._directory / f"{short_name(vm)}{suffix}").absolute()


def _require_unchanged(base: Base) -> None:
    """An overlay holds what differs from its base: on a changed one it is garbage."""
    if images.stamp(Path(base.path)) != (base.size, base.modified):
        message = (
            f"The image {base.path} was changed since the VM's disk was begun on it: put it back as it was, "
            f"{_BEGIN_ANEW}. A new version of an image needs a new name."
        )
        raise InvalidDefinition(message)


def _put(draft: Path, path: Path) -> None:
    """Have it there whole, also after the power failed."""
    _sync(draft)
    draft.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
