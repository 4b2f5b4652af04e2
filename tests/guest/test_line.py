"""The line to the agent: one final reply to each command, in their order, whatever comes."""

import pytest


def test_commands_that_come_at_once_are_answered_one_by_one(nobody):
    nobody.send(b"login root\nlogout\ndance\nlogout now\n\nlogout\n")

    assert [nobody.hear()[:4] for _ in range(6)] == ["504 ", "202 ", "504 ", "504 ", "504 ", "202 "]


def test_a_login_tells_what_goes_on_before_it_is_done(nobody):
    nobody.send(b"login anna\n")

    assert [nobody.hear() for _ in range(2)] == ["102 Starting the session of anna", "201 anna is logged in"]


def test_a_command_may_come_in_pieces(nobody):
    for piece in (b"log", b"o", b"ut\r", b"\n"):
        nobody.send(piece)

    assert nobody.hear().startswith("202 ")


@pytest.mark.parametrize(
    "line", [b"x" * 1025, b"login " + b"a" * 5_000_000, b"login \xff\xfe", b"login \xc3\xa4", b"\0" * 99]
)
def test_what_is_no_command_is_refused_and_costs_nothing(nobody, line):
    nobody.send(line + b"\nlogout\n")

    assert [nobody.hear()[:4] for _ in range(2)] == ["504 ", "202 "]


def test_replies_are_short_and_plain(nobody, homes):
    """Not even a file can bring other words into them: a user may call theirs as they like."""
    homes.lay("bert", group=1099)
    for line in (b"\x1b[2J" * 60, b"login \x1b]0;x\x07", b"login bert", b"login " + b"b" * 32):
        nobody.send(line + b"\n")
        reply = next(reply for reply in iter(nobody.hear, "") if not reply.startswith("1"))
        assert len(reply) <= 180
        assert reply.isprintable()


def test_a_command_that_was_cut_short_is_not_obeyed(nobody, homes):
    """The server may have gone in the middle of a name."""
    nobody.send(b"login half")
    nobody.hang_up()

    assert nobody.call() == "220 Hello"

    assert nobody.tell("logout").startswith("202 ")
    assert "half" not in homes.names()
