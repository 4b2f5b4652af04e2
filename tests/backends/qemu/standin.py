"""A program in QEMU's place: it has a monitor and no machine behind it, and goes wrong in the way that it is told to."""

import asyncio
import json
import signal
import sys
from pathlib import Path

SILENT = "silent"
"""Never answers."""
GIVES_UP = "gives up"
"""Says, once it is attended to, that its accelerator cannot go on."""
REFUSES_EXPIRY = "refuses expiry"
"""Gives a password no end."""
MISSES_HANGING_UP = "misses hanging up"
"""Its agent greets only who calls after it saw that the line was closed, for which it takes its time."""

_GREETING = {"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 0}}, "capabilities": []}}
_ANSWERS = {"query-status": {"status": "internal-error"}, "query-vnc": {"clients": []}}
_STOP = {"event": "STOP", "timestamp": {"seconds": 0, "microseconds": 0}}


def a_standin(home, way):
    """Give a path for the setting `QemuBackend.qemu`."""
    program = home / "program"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" "{way}" "$@"\n')
    program.chmod(0o700)
    return str(program)


def asked_of(home):
    """Tell what monitors were asked to do, in order."""
    [asked] = home.glob("run/*/asked")
    return [json.loads(line) for line in asked.read_text().splitlines()]


# What follows is done in the program.


async def messages(reader):
    """Give what a monitor is asked: one object after the other, with nothing in between."""
    rest = ""
    while chunk := await reader.read(4096):
        rest += chunk.decode()
        while rest:
            try:
                message, end = json.JSONDecoder().raw_decode(rest)
            except ValueError:
                break
            rest = rest[end:].lstrip()
            yield message


class _Agent:
    """Waits for commands at first, as though an earlier server had been greeted."""

    _LOOKS = 3

    def __init__(self):
        self._called = False
        self._looks_left = self._LOOKS

    def line(self):
        """Its end of the line stays open for some looks after the other was closed."""
        if not self._called and self._looks_left:
            self._looks_left -= 1
        return [{"label": "agent", "filename": "", "frontend-open": self._looks_left > 0}]

    async def serve(self, reader, writer):
        self._called = True
        if not self._looks_left:
            writer.write(b"220 Hello\n")
        await reader.read()
        self._called = False
        writer.close()


class _Monitor:
    def __init__(self, way, notes, agent):
        self._way = way
        self._notes = notes
        self._agent = agent

    async def serve(self, reader, writer):
        self._writer = writer
        self._say(_GREETING)
        async for asked in messages(reader):
            with self._notes.open("a") as notes:
                notes.write(json.dumps(asked) + "\n")
            self._answer(
                asked["execute"], asked.get("arguments", {}), {key: asked[key] for key in asked if key == "id"}
            )
        writer.close()

    def _answer(self, command, arguments, to):
        if command == "quit":
            sys.exit(0)
        if self._way == REFUSES_EXPIRY and arguments.get("time", "").startswith("+"):
            self._say({"error": {"class": "GenericError", "desc": "no"}, **to})
            return
        answer = self._agent.line() if command == "query-chardev" else _ANSWERS.get(command, {})
        self._say({"return": answer, **to})
        if self._way == GIVES_UP and command == "query-vnc":
            self._say(_STOP)

    def _say(self, message):
        self._writer.write(json.dumps(message).encode() + b"\n")


async def _run(way, options):
    [monitor] = [word for word in options if word.startswith("socket,id=mon,")]
    path = Path(monitor.partition("path=")[2].partition(",")[0])
    agent = _Agent()
    await asyncio.start_unix_server(agent.serve, path.with_name("agent.sock"))
    await asyncio.start_unix_server(lambda reader, _: reader.read(), path.with_name("tty.sock"))
    server = await asyncio.start_unix_server(_Monitor(way, path.with_name("asked"), agent).serve, path)
    await server.serve_forever()


if __name__ == "__main__":
    if sys.argv[1] == SILENT:
        signal.pause()
    asyncio.run(_run(sys.argv[1], sys.argv[2:]))
