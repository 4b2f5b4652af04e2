"""The file that virt-viewer opens a console with."""

from __future__ import annotations

from dataclasses import dataclass, field

from vmpool_ext.domain.errors import VmPoolError

MEDIA_TYPE = "application/x-virt-viewer"


class UnwritableConnection(VmPoolError):
    """A part of the connection would break the file's lines."""

    code = "unwritable-connection"
    sentence = "The {} of the display cannot be written to a connection file. Ask the administrator."


@dataclass(frozen=True, slots=True)
class DisplayAddress:
    """Where a program on the user's own machine reaches a display."""

    host: str
    port: int
    proxy: str = ""


@dataclass(frozen=True, slots=True)
class ConnectionFile:
    """What a browser hands to virt-viewer."""

    name: str
    type: str
    content: str = field(repr=False)


def connection_file(vm: str, address: DisplayAddress, password: str) -> ConnectionFile:
    """Write the file for a SPICE display; raise `UnwritableConnection` for what could add a line to it.

    The lines and their order are VM-Operator's, so that whatever reads its files reads ours.

    >>> print(connection_file("vm1", DisplayAddress("10.0.0.1", 5900), "geheim").content, end="")
    [virt-viewer]
    type=spice
    host=10.0.0.1
    port=5900
    password=geheim
    delete-this-file=1
    """
    lines = [
        "[virt-viewer]",
        "type=spice",
        f"host={_one_line('host', address.host)}",
        f"port={address.port}",
        *([f"password={_one_line('password', password)}"] if password else []),
        *([f"proxy={_one_line('proxy', address.proxy)}"] if address.proxy else []),
        "delete-this-file=1",
    ]
    return ConnectionFile(f"{vm}.vv", MEDIA_TYPE, "".join(f"{line}\n" for line in lines))


def _one_line(part: str, text: str) -> str:
    # GLib's key files know escapes: a backslash would be read as something else than it is.
    if not text.isprintable() or text != text.strip() or "\\" in text:
        raise UnwritableConnection(part)
    return text
