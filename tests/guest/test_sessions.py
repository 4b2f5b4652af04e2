"""Sessions: that they begin, last, and leave nothing behind."""

import pytest

PS = "ps >~/processes"
LEFT_RUNNING = {
    "in the background": "sleep 1234 &",
    "away from the console": "setsid sleep 1234 </dev/null >/dev/null 2>&1 &",
    "deaf to polite requests": "(trap '' HUP TERM INT; sleep 1234; sleep 1234) &",
    "begetting others faster than they are found": (
        "ulimit -p 30; for n in 1 2 3 4; do (while :; do (sleep 0.1; exec sh -c 'sleep 1234 & sleep 0.1') & sleep 0.05; done) & done"
    ),
}


@pytest.mark.parametrize("left", LEFT_RUNNING)
def test_nothing_of_a_user_s_runs_any_more_when_they_are_logged_out(nobody, homes, left):
    name = f"x{len(homes.names())}"
    homes.lay(name, group=1400 + len(homes.names()))
    homes.at_login(name, LEFT_RUNNING[left])
    assert nobody.tell(f"login {name}").startswith("201 ")
    homes.done(name)

    assert nobody.tell("logout") == "202 Nobody is logged in"

    assert name not in users(seen_by_another(nobody, homes))


def test_a_second_user_s_login_ends_the_session_of_the_first(nobody, homes):
    homes.lay("anna", group=1301)
    homes.at_login("anna", "setsid sleep 1234 &")
    nobody.tell("login anna")
    homes.done("anna")

    seen = seen_by_another(nobody, homes)

    assert "anna" not in users(seen)
    assert "1234" not in seen


def seen_by_another(guest, homes):
    """Log another user in, and give what they see running."""
    name = f"y{len(homes.names())}"
    homes.lay(name, group=1500 + len(homes.names()))
    homes.at_login(name, PS)
    assert guest.tell(f"login {name}").startswith("201 ")
    homes.done(name)
    seen = homes.wrote(name, "processes")
    assert name in users(seen)
    return seen


def users(seen):
    """Tell whose processes they are; a program of root's may well have been told a user's name."""
    return {line.split()[1] for line in seen.splitlines()}


def test_a_session_outlives_the_line(nobody, homes):
    """A server that is started again finds its users where they were."""
    homes.lay("bert", group=1302)
    homes.at_login("bert", "echo $$ >>~/shells")
    nobody.tell("login bert")
    homes.done("bert")
    nobody.hang_up()

    assert nobody.call() == "220 Hello"

    assert nobody.tell("login bert") == "201 bert is logged in already"
    assert len(homes.wrote("bert", "shells").splitlines()) == 1


def test_a_guest_that_was_reset_has_forgotten_who_was_logged_in(nobody, homes):
    homes.lay("cora", group=1303)
    nobody.tell("login cora")
    homes.at_login("cora", "")

    nobody.ask("system_reset")
    assert nobody.hear() == "220 Hello"

    assert nobody.tell("login cora") == "201 cora is logged in"
    homes.done("cora")
