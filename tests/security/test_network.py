"""What a guest reaches of the network, its root trying: nothing, unless its definition wants the host's."""

import gzip
import select
import socket
import subprocess
import time
from contextlib import ExitStack, suppress

import pytest

from tests.backends.qemu.definitions import a_vm_resource
from tests.security.conftest import PATIENCE, a_folder
from vmpool_ext.backends.qemu.accelerator import TCG
from vmpool_ext.backends.qemu.command_line import HOST, NETWORK_ANNOTATION, Media, command_line
from vmpool_ext.backends.qemu.guest_image import GuestImage, build_image, cpio, default_cache
from vmpool_ext.backends.qemu.places import Places

IPV4, IPV6 = (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")
WAYS = {"tcp": (*IPV4, socket.SOCK_STREAM), "udp": (*IPV4, socket.SOCK_DGRAM), "tcp6": (*IPV6, socket.SOCK_STREAM)}
END = "that was all"

# The first and only process of the guest. 10.0.2.2 and fec0::2 are what QEMU's network calls its host.
INIT = """#!/bin/busybox sh
/bin/busybox --install -s
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
exec >/dev/ttyS0 2>&1
cat /lib/modules/order /lib/modules/order-later | while read -r module; do insmod "$module"; done
echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad
ip link set eth0 up
udhcpc -n -q -i eth0 -s /usr/lib/demo/lease
ip route replace default via 10.0.2.2
ip -6 address add fec0::15/64 dev eth0
echo hello | timeout 2 nc 10.0.2.2 {tcp}
timeout 1 tftp -g -r hello -l /dev/null 10.0.2.2 {udp}
echo hello | timeout 2 nc fec0::2 {tcp6}
timeout 2 nslookup localhost 10.0.2.3
echo {end}
poweroff -f
"""


class Guest:
    """Tries everything that leads to this machine, where somebody listens."""

    def __init__(self, folder, network, stack):
        self._heard = {way: socket_ for way, each in WAYS.items() if (socket_ := _listening(*each, stack))}
        ports = {way: self._heard[way].getsockname()[1] if way in self._heard else 9 for way in WAYS}
        self._places = Places(folder)
        definition = a_vm_resource()
        definition["metadata"]["annotations"] |= network
        argv = command_line(definition, self._places, "qemu-system-x86_64", TCG, _tries(folder, ports))
        self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL)  # noqa: S603  # our own words
        stack.callback(self._process.wait)
        stack.callback(self._process.kill)
        self._serial = stack.enter_context(socket.socket(socket.AF_UNIX))
        self._serial.settimeout(PATIENCE)

    def hear(self):
        """Connect to its serial port: what nobody hears is dropped."""
        end = time.monotonic() + PATIENCE
        while self._serial.connect_ex(str(self._places.tty)):
            assert time.monotonic() < end
            time.sleep(0.01)

    def said(self):
        """Wait until it has tried all, and give its words."""
        with self._serial.makefile(errors="replace") as lines:
            return "".join(lines)

    def reached(self):
        """Tell by which ways it was heard here."""
        ready, _, _ = select.select(list(self._heard.values()), (), (), 0)
        return {way for way, socket_ in self._heard.items() if socket_ in ready}

    @property
    def ways(self):
        """Those that there are on this machine."""
        return set(self._heard)


def _listening(family, address, kind, stack):
    with suppress(OSError):
        listening = stack.enter_context(socket.socket(family, kind))
        listening.bind((address, 0))
        if kind == socket.SOCK_STREAM:
            listening.listen()
        return listening


def _tries(folder, ports):
    """Give the demo guest with another first process: of two files with one path Linux takes the later."""
    image = build_image(default_cache(), print)
    script = INIT.format(end=END, **ports).encode()
    initrd = folder / "initrd.img"
    initrd.write_bytes(
        image.initrd.read_bytes() + gzip.compress(cpio.pack([cpio.file("init", script, executable=True)]))
    )
    return Media(guest=GuestImage(image.kernel, initrd))


@pytest.fixture(scope="module")
def guests():
    """Both at once: they take their time."""
    with ExitStack() as stack:
        found = [Guest(stack.enter_context(a_folder()), network, stack) for network in ({}, {NETWORK_ANNOTATION: HOST})]
        for guest in found:
            guest.hear()
        yield [(guest, guest.said()) for guest in found]


def test_a_guest_has_an_address(guests):
    [(_, said), _] = guests

    assert "lease of 10.0.2.15 obtained from 10.0.2.2" in said


def test_a_guest_reaches_nothing_of_this_machine_and_nothing_beyond(guests):
    """Not its loopback, on which the Jupyter server listens, and not its name server."""
    [(guest, said), _] = guests

    assert END in said
    assert guest.reached() == set()
    assert "Server:" not in said


def test_a_guest_with_the_hosts_network_reaches_this_machines_loopback(guests):
    """As the documentation warns; and else the test above would say nothing."""
    [_, (guest, said)] = guests

    assert END in said
    assert guest.reached() == guest.ways
    assert {"tcp", "udp"} <= guest.ways
