"""Commands to a guest's agent, and its replies: in order, in its own words, and never waited for in vain."""

import asyncio

import pytest

from vmpool_ext.backends.qemu.conversation import LOGGED_IN, LOGGED_OUT, Conversation, Reply
from vmpool_ext.domain.errors import AgentFailed

SOON = 60
"""Seconds that nothing here takes."""


class Line:
    """The end of the line that is written to."""

    def __init__(self):
        self.written = b""

    def write(self, data):
        self.written += data


@pytest.fixture
def line():
    return Line()


@pytest.fixture
def agent(line):
    conversation = Conversation()
    conversation.begin(line)
    return conversation


def says(agent, *lines):
    for line in lines:
        if reply := Reply.of(line):
            agent.hear(reply)


async def asked(agent, command, done, within=SOON):
    """Ask, and let the question get onto the line."""
    asking = asyncio.create_task(agent.ask(command, done, within))
    await asyncio.sleep(0)
    return asking


async def test_a_command_is_a_line_and_done_when_the_agent_says_so(agent, line):
    asking = await asked(agent, "login ann", LOGGED_IN)
    assert line.written == b"login ann\n"

    says(agent, b"102 Starting desktop\n", b"some words without a number\n")
    assert not asking.done()
    says(agent, b"201 User logged in\n")

    await asking


@pytest.mark.parametrize("words", ["451 no home directory", "504 There can be no user of that name", "240 Quit"])
async def test_what_an_agent_refuses_is_told_in_its_words(agent, words):
    asking = await asked(agent, "login ann", LOGGED_IN)

    says(agent, f"{words}\n".encode())

    with pytest.raises(AgentFailed, match=words):
        await asking


async def test_an_agent_that_is_silent_is_not_waited_for_for_ever(agent):
    with pytest.raises(AgentFailed, match="has not answered for 0 seconds"):
        await agent.ask("login ann", LOGGED_IN, 0)


async def test_a_late_reply_is_not_taken_for_that_to_a_later_command(agent):
    with pytest.raises(AgentFailed):
        await agent.ask("login ann", LOGGED_IN, 0)
    later = await asked(agent, "logout", LOGGED_OUT)

    says(agent, b"201 User logged in\n")
    assert not later.done()
    says(agent, b"202 User logged out\n")

    await later


async def test_replies_belong_to_commands_in_order(agent):
    one, two = await asked(agent, "logout", LOGGED_OUT), await asked(agent, "login bob", LOGGED_IN)

    says(agent, b"202 bye\n", b"451 no\n")

    await one
    with pytest.raises(AgentFailed, match="451 no"):
        await two


async def test_a_guest_that_begins_anew_answers_nothing_that_was_asked_before(agent):
    asking = await asked(agent, "login ann", LOGGED_IN)

    says(agent, b"220 Hello\n")

    with pytest.raises(AgentFailed, match="began anew"):
        await asking


async def test_when_the_line_is_closed_nobody_waits_and_nobody_asks(agent):
    asking = await asked(agent, "login ann", LOGGED_IN)

    agent.end()

    for question in (asking, agent.ask("logout", LOGGED_OUT, SOON)):
        with pytest.raises(AgentFailed, match="not connected"):
            await question


async def test_a_reply_that_nobody_asked_for_is_nothing(agent):
    says(agent, b"240 Quit\n", b"201 what\n")

    asking = await asked(agent, "logout", LOGGED_OUT)
    says(agent, b"202 bye\n")

    await asking


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        (b"201 \x1b[2Jdone\r\n", Reply(201, "201  [2Jdone")),
        (b"451 " + b"x" * 5000 + b"\n", Reply(451, "451 " + "x" * 196)),
        (b"451 \xff\xfe\n", Reply(451, "451 \ufffd\ufffd")),
        (b"hello\n", None),
        (b"20\n", None),
        (b"\n", None),
        ("\u0662\u0660\u0661 x\n".encode(), None),
    ],
)
def test_what_a_guest_says_is_read_with_care(line, reply):
    assert Reply.of(line) == reply
