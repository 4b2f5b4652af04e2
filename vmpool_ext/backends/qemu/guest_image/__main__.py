"""Build the demo guest from a terminal: ``python -m vmpool_ext.backends.qemu.guest_image [FOLDER]``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from vmpool_ext.backends.qemu.guest_image import GuestBuildError, build_image, default_cache


def main() -> int:
    """Build the guest, telling each step; failing, say why."""
    parser = argparse.ArgumentParser(prog="python -m vmpool_ext.backends.qemu.guest_image", description=__doc__)
    parser.add_argument("cache", nargs="?", type=Path, default=default_cache(), help="default: %(default)s")
    try:
        image = build_image(parser.parse_args().cache.absolute(), _say)
    except GuestBuildError as error:
        _say(f"error: {error}")
        return 1
    sys.stdout.write(f"{image.kernel}\n{image.initrd}\n")
    return 0


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
