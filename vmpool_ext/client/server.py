"""Which server is asked, and by which way it is reached."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import SplitResult, parse_qs, urlsplit, urlunsplit

from vmpool_ext.client.errors import NoServer

_PAGE = re.compile(r"/(lab(/(tree|workspaces)/.*)?|tree|notebooks/.*)/?$")
"""What the addresses end with that Jupyter prints and browsers show."""


@dataclass(frozen=True, slots=True)
class Server:
    """A Jupyter server: its base address, which ends with a slash, and what opens it."""

    url: str
    token: str = field(default="", repr=False)
    socket: str | None = None
    """The path of the Unix socket that it listens to, if it is that."""
    ca_file: str | None = None
    """Certificates to trust for it, in place of the system's."""
    certificate: tuple[str, str] | None = None
    """What we are known to it by, where it asks: the files of certificate and key."""
    found: bool = False
    """Whether it was found on this machine, rather than named."""

    def __post_init__(self) -> None:
        """Refuse a token that no header can carry, without repeating it as the HTTP library would."""
        if not (self.token.isascii() and self.token.isprintable()) or " " in self.token:
            message = "The token has characters that no token has. Set VMPOOL_TOKEN anew, without spaces or line ends."
            raise NoServer(NoServer.kind, message)

    @property
    def headers(self) -> dict[str, str]:
        """What says who asks. A server that asks for no token wants to see that it is no other site's page."""
        if self.token:
            return {"Authorization": f"token {self.token}"}
        return {"Cookie": "_xsrf=6e6f6e65", "X-XSRFToken": "6e6f6e65"}

    @property
    def local(self) -> bool:
        """Whether it is on this machine, where no proxy has business."""
        return self.found or is_loopback(urlsplit(self.url).hostname or "")

    def trust(self) -> ssl.SSLContext:
        """Give what its certificate is checked by; `SSL_CERT_FILE` is OpenSSL's own word for the system's."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.certificate:
                context.load_cert_chain(*self.certificate)
        except OSError as error:
            message = f"The certificates for {self.url} cannot be read: {error}. Name files in PEM format."
            raise NoServer(NoServer.kind, message) from error
        return context


def named_server(url: str, token: str | None = None, ca_file: str | None = None) -> Server:
    """Read an address as a person gives it: copied from a browser or from Jupyter's log, a token in its query too."""
    parts = _parts(url.strip())
    if parts is None:
        message = (
            "The address of a Jupyter server begins with http:// or https:// and a host. Give the one in your browser."
        )
        raise NoServer(NoServer.kind, message)
    if parts.username or parts.password:
        message = "The address holds a user name or a password. Leave them out, and give a token."
        raise NoServer(NoServer.kind, message)
    (found,) = parse_qs(parts.query).get("token", [""])[:1]
    path = _PAGE.sub("", parts.path).rstrip("/") + "/"
    base = urlunsplit((parts.scheme, parts.netloc, path, "", ""))
    return Server(base, token or found, ca_file=ca_file)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its name or address alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _parts(url: str) -> SplitResult | None:
    """Give the parts of an address, or None where it is none of a server."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if usable else None
