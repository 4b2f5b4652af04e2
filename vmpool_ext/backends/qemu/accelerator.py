"""Which accelerator runs a VM: the processor's own where it really is one, else QEMU's translation."""

from __future__ import annotations

import os
from pathlib import Path

SETTINGS = ("auto", "kvm", "tcg")

KVM = ("-accel", "kvm", "-cpu", "host")
# A cache of 64 MB is as fast as QEMU's default of 1 GB for a small guest.
TCG = ("-accel", "tcg,tb-size=64", "-cpu", "max")


def accelerator_options(
    setting: str, device: Path = Path("/dev/kvm"), modules: Path = Path("/sys/module")
) -> tuple[str, ...]:
    """Give QEMU's options for a setting; ``auto`` is KVM where that is usable."""
    if setting == "auto":
        return KVM if kvm_is_usable(device, modules) else TCG
    return {"kvm": KVM, "tcg": TCG}[setting]


def kvm_is_usable(device: Path, modules: Path) -> bool:
    """Whether the device may be opened and a processor stands behind it.

    There are machines whose device opens and whose guests never come up: their module is neither Intel's nor AMD's.
    """
    if not any((modules / name).is_dir() for name in ("kvm_intel", "kvm_amd")):
        return False
    try:
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        return False
    return True
