"""The server's side of the API, played in the browser: it says what a test wants to see drawn."""

import json
import re

ANY = re.compile(r".*/vmpool/api/v1/.*")
UPDATES = re.compile(r".*/vmpool/api/v1/updates.*")
PERMISSIONS = ["accessConsole", "reset", "start", "stop"]
SINCE = "2026-11-22T09:05:00Z"
NOTHING = {"code": "nothing-assigned", "permission": None}


def a_vm(name, **given):
    """A VM as the API shows it: a running one."""
    return {
        "name": name,
        "state": "running",
        "booted": True,
        "loggedInUser": None,
        "console": "closed",
        "display": "vnc",
        "connectionFile": False,
        "restartsForReset": False,
        "since": SINCE,
        "retainedUntil": None,
        "os": "Debian 13",
        "may": PERMISSIONS,
        "fault": None,
        **given,
    }


def an_own_vm(name, *, why=None, used_by=None, **given):
    return {**a_vm(name, **given), "why": why or {}, "usedBy": used_by}


def a_pool(name, vm=None, *, why=None, free=3, total=5):
    """A pool as the API shows it; without a VM only a start can be had."""
    nothing = {} if vm else dict.fromkeys(("stop", "reset", "console", "release"), NOTHING)
    return {
        "name": name,
        "free": free,
        "total": total,
        "retention": "PT4h",
        "may": PERMISSIONS,
        "vm": vm,
        "waiting": None,
        "why": {**nothing, **(why or {})},
    }


def a_picture(*pools, vms=(), notices=(), problem=None):
    return {"revision": 1, "pools": pools, "vms": vms, "notices": notices, "problem": problem}


def because(code):
    return {"code": code, "permission": None}


class PlayedServer:
    """Answers all requests of a page to the API, and keeps them in `asked`."""

    def __init__(self, page):
        self.asked = []
        self.answers = {}
        self.picture = a_picture()
        self._is_gone = False
        self._sockets = []
        page.route(ANY, self._on_request)
        page.route_web_socket(UPDATES, self._on_socket)

    def show(self, picture):
        """Tell the page, as at every change."""
        self.picture = picture
        for socket in self._sockets:
            socket.send(json.dumps(picture))

    def go(self):
        """Fall silent, as a server does that has ended."""
        self._is_gone = True
        while self._sockets:
            self._sockets.pop().close(code=1012)

    def come_back(self):
        self._is_gone = False

    def _on_socket(self, socket):
        if self._is_gone:
            socket.close(code=1012)
            return
        self._sockets.append(socket)
        socket.send(json.dumps(self.picture))

    def _on_request(self, route):
        request = route.request
        path = request.url.split("/vmpool/api/v1/")[1].split("?")[0]
        if request.method == "GET":
            route.fulfill(json={key: self.picture[key] for key in ("pools", "vms")})
            return
        self.asked.append(path)
        status, answer = self.answers.get(path, (409, {"code": "not-running", "message": "It is off."}))
        route.fulfill(status=status, json=answer)
