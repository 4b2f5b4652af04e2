"""A user's number: what a home says, or else the next one, which no two users get."""

import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.guest.homes import NOBODY


def test_a_new_user_gets_the_number_after_the_highest(nobody, homes):
    homes.lay("old", group=1234)

    assert nobody.tell("login new").startswith("201 ")

    assert homes.group("new") == 1235


def test_a_new_home_is_root_s_of_the_user_s_group_and_for_the_user_alone(nobody, homes):
    """So that its user can change neither the group, which is the number, nor who may use it."""
    nobody.tell("login anna")

    number = homes.group("anna")
    assert homes.owner("anna") == 0
    assert homes.access("anna") == [
        ("owner", 7, NOBODY),
        ("user", 7, number),
        ("group", 0, NOBODY),
        ("mask", 7, NOBODY),
        ("other", 0, NOBODY),
    ]
    assert homes.permissions("anna") == 0o770


def test_the_group_of_a_home_is_its_user_s_number(nobody, homes):
    homes.lay("bert", group=1150)
    homes.at_login("bert", "id -u >~/user; id -g >~/group; pwd >~/place; date >~/mine")

    assert nobody.tell("login bert").startswith("201 ")

    homes.done("bert")
    assert [homes.wrote("bert", file) for file in ("user", "group", "place")] == ["1150\n", "1150\n", "/home/bert\n"]
    assert homes.owner("bert/mine") == 1150


def test_a_user_cannot_change_whose_their_home_is_nor_put_another_in_its_place(nobody, homes):
    homes.lay("cora", group=1160)
    homes.at_login(
        "cora",
        "cd /; chgrp 0 ~; chown cora ~; chmod 777 ~; mv ~ /home/x; rmdir ~; mkdir /home/y; ls /home/.vmpool-agent >~/seen",
    )

    nobody.tell("login cora")

    homes.done("cora")
    assert (homes.owner("cora"), homes.group("cora"), homes.permissions("cora")) == (0, 1160, 0o770)
    assert not {"x", "y"} & homes.names()
    assert homes.wrote("cora", "seen") == ""


def test_a_home_without_its_access_list_is_given_it(nobody, homes):
    """Somebody who restores homes may have lost it on the way."""
    homes.lay("dirk", group=1170, permissions=0o700)

    assert nobody.tell("login dirk").startswith("201 ")

    assert ("user", 7, 1170) in homes.access("dirk")


def test_what_else_an_access_list_allows_stays(nobody, homes):
    homes.lay("ella", group=1180)
    entries = [
        ("owner", 7, NOBODY),
        ("user", 7, 1180),
        ("user", 5, 1999),
        ("group", 0, NOBODY),
        ("mask", 7, NOBODY),
        ("other", 0, NOBODY),
    ]
    homes.allow("ella", *entries)

    assert nobody.tell("login ella").startswith("201 ")

    assert homes.access("ella") == entries


def test_a_home_that_is_its_user_s_own_is_left_as_it_is(nobody, homes):
    """Homes may have been made in another way, before."""
    homes.lay("finn", owner=1190, group=1190, permissions=0o750)

    assert nobody.tell("login finn").startswith("201 ")

    assert (homes.owner("finn"), homes.permissions("finn")) == (1190, 0o750)
    assert not homes.has_access_list("finn")


def test_a_user_whose_home_was_removed_gets_the_same_number_again(nobody, homes):
    """Files of theirs may be elsewhere."""
    nobody.tell("login gerd")
    number = homes.group("gerd")
    nobody.tell("logout")
    shutil.rmtree(homes.folder / "gerd")

    assert nobody.tell("login gerd").startswith("201 ")

    assert homes.group("gerd") == number


def test_what_a_guest_had_begun_that_died_is_gone_on_with(nobody, homes):
    """Whenever it died: there is a number that nobody has, or a user who has one, or a home that is not in its place."""
    nobody.tell("login first")
    number = homes.group("first") + 1
    homes.lay(f".vmpool-agent/{number}", kind=stat.S_IFREG, group=0)
    homes.lay(f".vmpool-agent/{number + 1}", kind=stat.S_IFREG, group=number + 1)
    (homes.folder / ".vmpool-agent" / "hans").hardlink_to(homes.folder / ".vmpool-agent" / str(number + 1))
    homes.lay(f".vmpool-agent/{number + 1}.home", group=0, permissions=0o700)

    assert nobody.tell("login ida").startswith("201 ")
    assert nobody.tell("login hans").startswith("201 ")

    assert homes.group("ida") == number + 2
    assert homes.group("hans") == number + 1
    assert ("user", 7, number + 1) in homes.access("hans")


@pytest.fixture(scope="module")
def both(guest, boot):
    """Two guests that share their homes."""
    return guest, boot("two")


@pytest.fixture
def together(both):
    """Gives a function that tells the guests something at the same moment, each its own, and gives their replies."""
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(2))
        yield lambda *commands: list(pool.map(lambda guest, command: guest.tell(command)[:4], both, commands))
        for guest in both:
            guest.tell("logout")


@pytest.mark.parametrize("turn", range(4))
def test_two_users_who_are_new_to_two_guests_at_one_moment_get_two_numbers(together, homes, turn):
    assert together(f"login left{turn}", f"login right{turn}") == ["201 ", "201 "]

    assert homes.group(f"left{turn}") != homes.group(f"right{turn}")


@pytest.mark.parametrize("turn", range(4))
def test_a_user_who_is_new_to_two_guests_at_one_moment_has_one_number_in_both(together, homes, turn):
    assert together(f"login same{turn}", f"login same{turn}") == ["201 ", "201 "]

    assert ("user", 7, homes.group(f"same{turn}")) in homes.access(f"same{turn}")
    assert together("logout", "logout") == ["202 ", "202 "]
    assert together(f"login same{turn}", f"login same{turn}") == ["201 ", "201 "]
