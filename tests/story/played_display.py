"""A VM's display, played in the browser: as much of RFB (RFC 6143) as it takes to be connected, and black."""

import re
import struct

DISPLAY = re.compile(r".*/vmpool/api/v1/vms/[^/]+/display.*")
VERSION = b"RFB 003.008\n"
NO_SECURITY, ACCEPTED = b"\x01\x01", bytes(4)
PIXELS = struct.pack(">BBBBHHHBBB3x", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
NAME = b"played"
WELCOME = struct.pack(">HH", 640, 480) + PIXELS + struct.pack(">I", len(NAME)) + NAME
# noVNC looks for what a socket can do on its class alone; Playwright's class has inherited it.
FLAT = "Object.defineProperties(WebSocket.prototype, Object.getOwnPropertyDescriptors(Object.getPrototypeOf(WebSocket.prototype)))"


class PlayedDisplay:
    """All displays that a page opens: they say nothing until they are told to."""

    def __init__(self, page):
        self._sockets = []
        page.route_web_socket(DISPLAY, lambda socket: self._sockets.append(socket))  # noqa: PLW0108  # Playwright takes no method of a list
        page.add_init_script(FLAT)

    def answer(self):
        """Let the one who has opened a display be connected to it."""
        (socket,) = self._sockets
        answers = [NO_SECURITY, ACCEPTED, WELCOME]
        socket.on_message(lambda _: socket.send(answers.pop(0)) if answers else None)
        socket.send(VERSION)

    def lose(self):
        """Break all connections, as a network does."""
        while self._sockets:
            self._sockets.pop().close(code=1011)
