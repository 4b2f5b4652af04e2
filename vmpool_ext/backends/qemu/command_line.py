"""The command line of a VM: its definition in QEMU's words.

Whatever a definition says stays inside the one option that it is for: numbers are numbers, names are checked, and in
paths commas are doubled, as QEMU asks for it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from vmpool_ext.backends.qemu.store import check_name
from vmpool_ext.backends.resources import annotations_of
from vmpool_ext.domain.errors import InvalidDefinition

if TYPE_CHECKING:
    from pathlib import Path

    from vmpool_ext.backends.qemu.disks import Disk
    from vmpool_ext.backends.qemu.guest_image import GuestImage
    from vmpool_ext.backends.qemu.places import Places

GUEST_ANNOTATION = "vmpool-ext.jupyter.org/guest"
DEMO_GUEST = "demo"

AGENT = "agent"
"""What QEMU calls the line to the guest's agent."""

HOME_TAG = "home"
"""By which a guest mounts its shared home."""

DEFAULT_RAM = "1G"
DEFAULT_POWERDOWN_TIMEOUT = 900

_MOST_CPUS = 255
_MEBIBYTE = 2**20
_MOST_RAM = 2**44

# As in the CRD's examples: Kubernetes' quantities, with or without a "B" behind.
_QUANTITY = re.compile(r"\s*([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*([kKMGT]?)(i?)B?\s*")
_POWERS = {"": 0, "k": 1, "K": 1, "M": 2, "G": 3, "T": 4}

_SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"

NETWORK_ANNOTATION = "vmpool-ext.jupyter.org/network"
ISOLATED, HOST = "isolated", "host"

_NETWORKS = {
    # Nothing of the host can be reached from the guest, its loopback least of all.
    ISOLATED: "user,id=net0,restrict=on",
    # All of it can be: QEMU cannot close the loopback and leave the rest open.
    HOST: "user,id=net0,restrict=off",
}


@dataclass(frozen=True, slots=True)
class Size:
    """What a VM is given."""

    cpus: str
    """The value of QEMU's option ``-smp``."""
    cpu_count: int
    mebibytes: int


@dataclass(frozen=True, slots=True)
class Media:
    """What a machine has to boot from."""

    guest: GuestImage | None = None
    disk: Disk | None = None
    seed: Path | None = None
    """The CD for cloud-init."""
    home: Path | None = None
    """The folder that the guest shares with others as its /home."""


def command_line(
    resource: Mapping[str, Any], places: Places, program: str, accelerator: tuple[str, ...], media: Media
) -> list[str]:
    """Give the arguments that start the VM, or raise `InvalidDefinition`."""
    name = check_name(resource["metadata"]["name"])
    size = size_of(resource)
    return [
        program,
        *("-name", f"guest={name},debug-threads=on"),
        *("-no-user-config", "-nodefaults", "-sandbox", _SANDBOX),
        *("-machine", "q35,usb=off,dump-guest-core=off", *accelerator),
        *("-m", f"{size.mebibytes}M", "-smp", size.cpus),
        *_monitor(places),
        *_agent(places),
        *("-device", "virtio-rng-pci"),
        *_serial(places),
        *("-display", "none", "-device", "VGA", "-vnc", f"unix:{option_value(places.vnc)},password=on"),
        *("-netdev", _NETWORKS[network_of(resource)], "-device", "virtio-net-pci,netdev=net0,romfile="),
        *_guest(media.guest, name),
        *_disk(media.disk),
        *_seed(media.seed),
        *_home(media.home),
    ]


def guest_of(resource: Mapping[str, Any]) -> str | None:
    """Tell which of our own guests the VM boots, if any."""
    guest = annotations_of(resource).get(GUEST_ANNOTATION)
    if guest not in (None, DEMO_GUEST):
        message = f'There is no guest "{str(guest)[:32]}": the annotation {GUEST_ANNOTATION} knows "{DEMO_GUEST}".'
        raise InvalidDefinition(message)
    return guest if guest is None else DEMO_GUEST


def network_of(resource: Mapping[str, Any]) -> str:
    """Tell where the VM's network leads: nowhere, unless its definition wants the host's."""
    network = annotations_of(resource).get(NETWORK_ANNOTATION, ISOLATED)
    if network not in (ISOLATED, HOST):
        known = f'the annotation {NETWORK_ANNOTATION} knows "{ISOLATED}" and "{HOST}"'
        message = f'There is no network "{str(network)[:32]}": {known}.'
        raise InvalidDefinition(message)
    return str(network)


def powerdown_timeout(resource: Mapping[str, Any]) -> float:
    """Tell how many seconds the guest is given to shut down by itself; the default for what is no number."""
    given = _vm(resource).get("powerdownTimeout")
    usable = isinstance(given, int) and not isinstance(given, bool) and given >= 0
    return float(given) if usable else DEFAULT_POWERDOWN_TIMEOUT  # type: ignore[arg-type]  # usable is an int


def size_of(resource: Mapping[str, Any]) -> Size:
    """Read how many processors and how much memory the VM gets now, or raise `InvalidDefinition`."""
    vm = _vm(resource)
    topology, most = _topology(vm)
    current = min(_count(vm, "currentCpus", 0) or most, most)
    ram = vm.get("currentRam") or vm.get("maximumRam") or DEFAULT_RAM
    mebibytes = math.ceil(parse_quantity(ram) / _MEBIBYTE)
    return Size(f"cpus={current},maxcpus={most}{topology}", current, mebibytes)


def parse_quantity(text: object) -> int:
    """Read an amount of memory in bytes.

    >>> parse_quantity("128Mi"), parse_quantity("1GiB"), parse_quantity("1G"), parse_quantity("0.5Gi")
    (134217728, 1073741824, 1000000000, 536870912)
    >>> parse_quantity("128Mi,share=on")
    Traceback (most recent call last):
    vmpool_ext.domain.errors.InvalidDefinition: The memory "128Mi,share=on" is not an amount such as 512Mi or 4G.
    """
    match = _QUANTITY.fullmatch(str(text))
    if match:
        base = 1024 if match[3] else 1000
        amount = int(Decimal(match[1]) * base ** _POWERS[match[2]])
        if 0 < amount <= _MOST_RAM:
            return amount
    message = f'The memory "{str(text)[:32]}" is not an amount such as 512Mi or 4G.'
    raise InvalidDefinition(message)


def _monitor(places: Places) -> tuple[str, ...]:
    chardev = f"socket,id=mon,path={option_value(places.qmp)},server=on,wait=off"
    return "-chardev", chardev, "-mon", "chardev=mon,mode=control"


def _agent(places: Places) -> tuple[str, ...]:
    chardev = f"socket,id={AGENT},path={option_value(places.agent)},server=on,wait=off"
    port = f"virtserialport,id=channel1,name=org.jdrupes.vmop_agent.0,chardev={AGENT}"
    return "-device", "virtio-serial-pci", "-chardev", chardev, "-device", port


def _serial(places: Places) -> tuple[str, ...]:
    # Not a file: a guest could fill the host's disk while no server looks. What nobody reads here is dropped.
    chardev = f"socket,id=serial0,path={option_value(places.tty)},server=on,wait=off"
    return "-chardev", chardev, "-serial", "chardev:serial0"


def _guest(image: GuestImage | None, name: str) -> tuple[str, ...]:
    if image is None:
        return ()
    append = f"console=ttyS0 console=tty0 quiet loglevel=3 video=960x600 vm.name={name}"
    # Absolute, so that no path is taken for an option.
    return "-kernel", str(image.kernel.absolute()), "-initrd", str(image.initrd.absolute()), "-append", append


def _disk(disk: Disk | None) -> tuple[str, ...]:
    if disk is None:
        return ()
    # All is said here: QEMU neither guesses a format nor follows what an image says of others.
    below = {"backing": None} if disk.base.format == "qcow2" else {}
    base = {"driver": disk.base.format, "read-only": True, "file": _file(disk.base.path, writable=False), **below}
    overlay = {
        "driver": "qcow2",
        "node-name": "disk0",
        "file": _file(str(disk.overlay), writable=True),
        "backing": base,
        "discard": "unmap",
        "detect-zeroes": "unmap",
    }
    # The first place is that of a kernel, if one is given.
    return "-blockdev", json.dumps(overlay), "-device", "virtio-blk-pci,drive=disk0,bootindex=1"


def _seed(seed: Path | None) -> tuple[str, ...]:
    if seed is None:
        return ()
    disc = {"driver": "raw", "node-name": "seed0", "read-only": True, "file": _file(str(seed), writable=False)}
    return "-blockdev", json.dumps(disc), "-device", "ide-cd,bus=ide.0,drive=seed0"


def _home(folder: Path | None) -> tuple[str, ...]:
    if folder is None:
        return ()
    # Owners and permissions are what guests see; on the host all is this account's. Links are followed by guests alone.
    share = f"local,id=home,path={option_value(folder)},security_model=mapped-xattr,multidevs=remap"
    return "-fsdev", share, "-device", f"virtio-9p-pci,fsdev=home,mount_tag={HOME_TAG}"


def _file(path: str, *, writable: bool) -> dict[str, Any]:
    # Locked, so that nobody writes what another reads.
    return {"driver": "file", "filename": path, "read-only": not writable, "locking": "on"}


def _topology(vm: Mapping[str, Any]) -> tuple[str, int]:
    """Give the rest of ``-smp`` and the number of processors at most."""
    given = vm.get("cpuTopology")
    if not isinstance(given, Mapping):
        return "", _count(vm, "maximumCpus", 1) or 1
    # The CRD's default of 0 means that nothing is said.
    parts = {
        "sockets": _count(given, "sockets", 1) or 1,
        "dies": _count(given, "diesPerSocket", 0) or 1,
        "cores": _count(given, "coresPerDie", 0) or 1,
        "threads": _count(given, "threadsPerCore", 0) or 1,
    }
    most = math.prod(parts.values())
    if most > _MOST_CPUS:
        message = f"A VM cannot have {most} processors: {_MOST_CPUS} is the most."
        raise InvalidDefinition(message)
    return "".join(f",{key}={value}" for key, value in parts.items()), most


def _count(part: Mapping[str, Any], key: str, default: int) -> int:
    value = part.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST_CPUS:
        message = f"{key} is a number from 0 to {_MOST_CPUS}, not {str(value)[:32]!r}."
        raise InvalidDefinition(message)
    return value


def _vm(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    spec = resource.get("spec")
    vm = spec.get("vm") if isinstance(spec, Mapping) else None
    return vm if isinstance(vm, Mapping) else {}


def option_value(path: Path) -> str:
    """Write a path so that it ends where it ends: a comma would begin the next setting."""
    return str(path).replace(",", ",,")
