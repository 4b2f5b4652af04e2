"""The demo guest: a Linux so small that it is built in half a minute, without root, when it is first wanted."""

from vmpool_ext.backends.qemu.guest_image.build import GuestImage, build_image, default_cache, find_image
from vmpool_ext.backends.qemu.guest_image.errors import GuestBuildError

__all__ = ["GuestBuildError", "GuestImage", "build_image", "default_cache", "find_image"]
