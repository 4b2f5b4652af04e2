"""Where the display of a VM is reached: by what its definition says, else at its pod."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import TYPE_CHECKING, Any

from vmpool_ext.domain.connection_file import DisplayAddress
from vmpool_ext.domain.errors import BackendUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DEFAULT_PORT = 5900
IP_VERSIONS = {"ipv4": 4, "ipv6": 6}


async def address_of(vm: Mapping[str, Any], pod_ips: Iterable[str], preferred: str) -> DisplayAddress:
    """Tell where the display is; `BackendUnavailable` with the reason where nothing tells.

    As with VM-Operator: the server that the definition names, as an IP address; else the pod's address of the preferred
    IP version, else any.
    """
    spice = vm["spec"]["vm"].get("display", {}).get("spice", {})
    port, proxy, server = int(spice.get("port", DEFAULT_PORT)), spice.get("proxyUrl") or "", spice.get("server") or ""
    if server:
        return DisplayAddress(await _resolved(server, behind_proxy=bool(proxy)), port, proxy)
    if host := _best(pod_ips, preferred):
        return DisplayAddress(host, port, proxy)
    name = vm["metadata"]["name"]
    message = (
        f'Nothing tells where the display of the VM "{name}" is: its pod has no address yet. Try again in a moment.'
    )
    raise BackendUnavailable(message, code="display-unreachable")


def _best(pod_ips: Iterable[str], preferred: str) -> str | None:
    known = [ipaddress.ip_address(each) for each in pod_ips]
    first = sorted(known, key=lambda each: each.version != IP_VERSIONS[preferred])
    return str(first[0]) if first else None


async def _resolved(server: str, *, behind_proxy: bool) -> str:
    """Give the address of a name; a name that only the proxy knows stays one."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(server, None, type=socket.SOCK_STREAM)
    except OSError as error:
        if behind_proxy:
            return server
        message = (
            f'The display\'s server "{server[:64]}" (spec.vm.display.spice.server) has no address that is known here.'
        )
        raise BackendUnavailable(message, code="display-unreachable") from error
    return str(found[0][4][0])
