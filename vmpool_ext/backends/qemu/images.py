"""The base image that a VM's disk begins as: which one it is, and whether it is one that guests may be given."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vmpool_ext.backends.qemu import qemu_img
from vmpool_ext.backends.qemu.annotations import said_of
from vmpool_ext.domain.errors import InvalidDefinition

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

IMAGE_ANNOTATION = "vmpool-ext.jupyter.org/image"

_FORMATS = ("qcow2", "raw")
_LONGEST_PATH = 1023
"""Bytes that a qcow2 file has for the path of its base."""

_CONVERT = "qemu-img convert -O qcow2 OLD NEW makes one that will do."


@dataclass(frozen=True, slots=True)
class Base:
    """A base image as it was when it was looked at."""

    path: str
    format: str
    size: int
    modified: int
    """In nanoseconds, as the file system tells it."""


def image_of(vm: Mapping[str, Any], pools: Iterable[Mapping[str, Any]]) -> Path | None:
    """Give the path of the VM's base image, if it has one: its own, else that of its pools."""
    image = said_of(vm, pools, IMAGE_ANNOTATION)
    return None if image is None else _checked(image)


def inspect(path: Path) -> Base:
    """Look at an image before anything is built on it; `InvalidDefinition` if that would not be safe."""
    found = stamp(path)
    info = qemu_img.info(path)
    if info["format"] not in _FORMATS:
        message = f"The image {path} is of the format {info['format']}, not qcow2 or raw: {_CONVERT}"
        raise InvalidDefinition(message)
    # Whoever made the image would choose which files of this machine the guest reads.
    data = info.get("format-specific", {}).get("data", {})
    if other := info.get("backing-filename") or data.get("data-file"):
        message = f"The image {path} refers to another file ({str(other)[:128]}), which is not followed: {_CONVERT}"
        raise InvalidDefinition(message)
    return Base(str(path), info["format"], *found)


def stamp(path: Path) -> tuple[int, int]:
    """Tell the size of an image and when it was last written; `InvalidDefinition` if it cannot be read."""
    try:
        # Not blocking: a pipe would wait for its writer.
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            found = os.fstat(file)
        finally:
            os.close(file)
    except OSError as error:
        message = f"The image {path} cannot be read: {error.strerror}. Put it there, or mend the annotation {IMAGE_ANNOTATION}."
        raise InvalidDefinition(message) from error
    if not stat.S_ISREG(found.st_mode):
        message = f"The image {path} is not a file. Mend the annotation {IMAGE_ANNOTATION}."
        raise InvalidDefinition(message)
    return found.st_size, found.st_mtime_ns


def _checked(image: object) -> Path:
    if isinstance(image, str) and image.startswith("/") and image.isprintable():
        path = Path(os.path.normpath(image))
        if len(os.fsencode(path)) <= _LONGEST_PATH:
            return path
    message = f'The image "{str(image)[:64]}" is not an absolute path. Mend the annotation {IMAGE_ANNOTATION}.'
    raise InvalidDefinition(message)
