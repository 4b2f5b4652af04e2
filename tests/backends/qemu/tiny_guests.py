"""Guests of 512 bytes, in the first sector of their disk: they boot in no time."""

import subprocess

from tests.backends.qemu.definitions import a_pool_resource, a_vm_resource
from tests.backends.qemu.machines import VM
from vmpool_ext.backends.qemu.images import IMAGE_ANNOTATION

_SIZE = 2**20

# A BIOS loads the first sector of a disk to 7C00h and calls it, with the disk's number in dl.

# Counts, in the second sector, how often it was booted, and says so once on the first serial port.
_COUNTING = (
    "31C0",  # 7C00  xor  ax, ax
    "8ED8",  # 7C02  mov  ds, ax
    "8EC0",  # 7C04  mov  es, ax
    "8ED0",  # 7C06  mov  ss, ax
    "BC007C",  # 7C08  mov  sp, 7C00h
    "BB007E",  # 7C0B  mov  bx, 7E00h
    "B90200",  # 7C0E  mov  cx, 2              cylinder 0, sector 2
    "B600",  # 7C11  mov  dh, 0              head 0
    "B80102",  # 7C13  mov  ax, 0201h          read one sector
    "CD13",  # 7C16  int  13h
    "721E",  # 7C18  jc   end
    "FE06007E",  # 7C1A  inc  byte [7E00h]
    "B80103",  # 7C1E  mov  ax, 0301h          write one sector
    "CD13",  # 7C21  int  13h
    "7213",  # 7C23  jc   end
    "A0007E",  # 7C25  mov  al, [7E00h]
    "0430",  # 7C28  add  al, '0'
    "A2407C",  # 7C2A  mov  [words + 5], al
    "BE3B7C",  # 7C2D  mov  si, words
    "B90700",  # 7C30  mov  cx, 7
    "BAF803",  # 7C33  mov  dx, 3F8h           the first serial port
    "F36E",  # 7C36  rep  outsb
    "F4",  # 7C38  end: hlt
    "EBFD",  # 7C39  jmp  end
)
_WORDS = b"boot ?\n"  # 7C3B

# Never falls silent.
_CHATTING = (
    "BAF803",  # 7C00  mov  dx, 3F8h
    "B078",  # 7C03  mov  al, 'x'
    "EE",  # 7C05  next: out dx, al
    "EBFD",  # 7C06  jmp  next
)


def a_counting_image(folder, kind="raw", name="base", booted=0):
    """Give the path of a base image that was never booted; or that often before it was made one."""
    raw = folder / f"{name}.raw"
    raw.write_bytes(_bootable(_bytes(_COUNTING) + _WORDS, bytes([booted])))
    if kind == "raw":
        return raw
    image = folder / f"{name}.{kind}"
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", kind, raw, image], check=True)  # noqa: S603, S607  # of our own making
    return image


def a_chatting_image(folder):
    """Give the path of the base image of a guest that writes to its serial port for ever."""
    image = folder / "chatting.raw"
    image.write_bytes(_bootable(_bytes(_CHATTING)))
    return image


def with_image(resource, image):
    resource["metadata"].setdefault("annotations", {})[IMAGE_ANNOTATION] = str(image)
    return resource


def a_vm_with(image, name=VM, **vm):
    return with_image(a_vm_resource(name, guest=None, **{"powerdownTimeout": 0, **vm}), image)


def a_pool_with(image, name="demo"):
    return with_image(a_pool_resource(name), image)


def _bytes(code):
    return bytes.fromhex("".join(code))


def _bootable(code, second_sector=b""):
    return (code.ljust(510, b"\0") + b"\x55\xaa" + second_sector).ljust(_SIZE, b"\0")
