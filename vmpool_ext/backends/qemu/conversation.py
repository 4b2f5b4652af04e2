"""What is said over the line to a guest's agent: commands of ours, and its replies in the order of the commands."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmpool_ext.domain.errors import AgentFailed

if TYPE_CHECKING:
    from typing import Protocol

    class Writer(Protocol):
        """The end of the line that is written to."""

        def write(self, data: bytes) -> None:
            """Send."""
            ...


GREETING = 220
LOGGED_IN = 201
LOGGED_OUT = 202

_INFORMATIONAL = 1
_LONGEST_WORDS = 200
_NOT_CONNECTED = "The guest's agent is not connected."
_BEGAN_ANEW = "The guest began anew before its agent had answered."


@dataclass(frozen=True, slots=True)
class Reply:
    """A line of the agent's: its code, and all of it for people to read."""

    code: int
    words: str

    @classmethod
    def of(cls, line: bytes) -> Reply | None:
        """Read a line; one without a code is none. A guest is not to be trusted with more than a few plain words."""
        text = "".join(each if each.isprintable() else " " for each in line.decode("utf-8", "replace")).strip()
        code = text[:3]
        return cls(int(code), text[:_LONGEST_WORDS]) if len(code) == 3 and code.isascii() and code.isdigit() else None  # noqa: PLR2004


class Conversation:
    """With one guest's agent, for as long as its machine is on; the line may be closed and opened in between."""

    def __init__(self) -> None:
        self._writer: Writer | None = None
        self._unanswered: deque[asyncio.Future[Reply]] = deque()

    def begin(self, writer: Writer) -> None:
        """The line is open."""
        self._writer = writer

    def end(self) -> None:
        """The line is closed: nothing more will be answered."""
        self._writer = None
        self._give_up(_NOT_CONNECTED)

    async def ask(self, command: str, done: int, within: float) -> None:
        """Send a command and return when the agent has done it; `AgentFailed` with its words if it has not."""
        if self._writer is None:
            raise AgentFailed(_NOT_CONNECTED)
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        # One that nobody waits for any more keeps its place: its reply may still come, before those to later commands.
        self._unanswered.append(answer)
        self._writer.write(f"{command}\n".encode())
        try:
            async with asyncio.timeout(within):
                reply = await answer
        except TimeoutError:
            message = f"The guest's agent has not answered for {within:g} seconds."
            raise AgentFailed(message) from None
        if reply.code != done:
            raise AgentFailed(reply.words)

    def hear(self, reply: Reply) -> None:
        """Take a reply for the oldest command that has none; a greeting tells that no command will get one."""
        if reply.code == GREETING:
            self._give_up(_BEGAN_ANEW)
        elif reply.code // 100 != _INFORMATIONAL and self._unanswered:
            answer = self._unanswered.popleft()
            if not answer.done():
                answer.set_result(reply)

    def _give_up(self, why: str) -> None:
        while self._unanswered:
            answer = self._unanswered.popleft()
            if not answer.done():
                answer.set_exception(AgentFailed(why))
