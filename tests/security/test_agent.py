"""What a guest's root can do to the server by the line to its agent: nothing."""

import asyncio
import os
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from vmpool_ext.backends.qemu.agent import replies
from vmpool_ext.backends.qemu.conversation import Conversation, Reply

MEBIBYTE = 2**20


async def test_a_line_that_never_ends_fills_no_memory(home):
    """It is given up in parts, and who comes to reason is heard again."""

    async def rave(_, writer):
        # By the process that listens, so little at once: else it would be this test that fills the memory.
        for _ in range(32):
            writer.write(os.urandom(MEBIBYTE // 2).replace(b"\n", b"x"))
            await writer.drain()
        writer.write(b"\n220 Hello\n")
        writer.close()

    async with await asyncio.start_unix_server(rave, home / "agent.sock"):
        tracemalloc.start()
        heard = [reply async for reply in replies(home / "agent.sock", Conversation())]
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert heard[-1] == Reply(220, "220 Hello")
    assert most < 4 * MEBIBYTE


@given(st.binary(max_size=600) | st.binary(max_size=300).map(b"220 ".__add__))
def test_whatever_a_guest_says_is_a_few_plain_words_or_nothing(line):
    """Neither a line to the log more, nor a word to a terminal, nor half a page in the panel."""
    reply = Reply.of(line)

    assert reply is None or (len(reply.words) <= 200 and reply.words.isprintable())
