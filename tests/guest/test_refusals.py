"""Whom the agent does not log in, and that it says why."""

import stat

import pytest

LINK, FILE = stat.S_IFLNK, stat.S_IFREG


@pytest.mark.parametrize(
    "name", ["root", "Ann", "a b", "../x", "-x", "", " ", ".x", "1st", "x:y", "x\ty", "x\x1b[2J", "x" * 33, "é", "x\0"]
)
def test_what_is_no_name_of_a_user_is_refused_for_good(nobody, name):
    """Not even a name that would do behind a control character, nor a second word."""
    assert nobody.tell(f"login {name}").startswith("504 ")


def test_an_account_of_the_guest_itself_is_refused_for_good(nobody):
    """It has the number 1000, and no home among those that are shared."""
    assert nobody.tell("login guest") == "504 guest is the system's or this guest's own."


@pytest.mark.parametrize(
    ("home", "why"),
    [
        ({"kind": LINK}, "is not a directory"),
        ({"kind": FILE}, "is not a directory"),
        ({"group": 0}, "has the group 0, which is no user's number: those begin at 1100"),
        ({"group": 1099}, "has the group 1099, which is no user's number: those begin at 1100"),
        ({"group": 65534}, "has the group 65534, which is no user's number: those begin at 1100"),
        ({"group": 1200, "owner": 1500}, "belongs to 1500, which is neither root nor the number of its group, 1200"),
    ],
)
def test_a_home_that_says_no_number_is_refused_with_the_reason(nobody, homes, home, why):
    name = f"x{len(homes.names())}"
    homes.lay(name, **home)

    assert nobody.tell(f"login {name}") == f"451 /home/{name} {why}."

    assert not homes.has_access_list(name)


def test_nobody_gets_the_number_of_somebody_whom_the_guest_knows(nobody, homes):
    """Two homes of one group would be two users who are the same."""
    homes.lay("carl", group=1300)
    homes.lay("dora", group=1300)
    assert nobody.tell("login carl").startswith("201 ")

    assert nobody.tell("login dora") == "451 The number 1300 of dora is that of carl in this guest."


def test_an_account_whose_home_says_another_number_by_now_is_refused(nobody, homes):
    homes.lay("emil", group=1310)
    assert nobody.tell("login emil").startswith("201 ")
    homes.set_group("emil", 1311)
    nobody.tell("logout")

    assert nobody.tell("login emil").startswith("504 emil is this guest's own")


def test_where_others_may_write_among_the_homes_no_home_is_believed(nobody, homes):
    homes.lay("fred", group=1320)
    homes.set_permissions(".", 0o777)

    assert nobody.tell("login fred").startswith("451 Others than root may write to /home")

    homes.set_permissions(".", 0o755)
    assert nobody.tell("login fred").startswith("201 ")


def test_who_is_refused_takes_nobody_s_place(nobody):
    """The one who is logged in stays so for as long as it is not known that there is another user."""
    nobody.tell("login gina")

    assert nobody.tell("login root").startswith("504 ")

    assert nobody.tell("login gina") == "201 gina is logged in already"
