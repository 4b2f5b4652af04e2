"""The agent as it is installed in a guest of systemd's: started by udev, and with agetty, PAM and logind for its sessions."""

import stat

import pytest

from tests.guest.recipes import CONSOLE
from tests.guest.systemd_guest import build_systemd_guest
from vmpool_ext.backends.qemu.guest_image import default_cache


@pytest.fixture(scope="module")
def guest(boot):
    """Has greeted, so the rule and the unit have started the agent."""
    with build_systemd_guest(default_cache(), CONSOLE) as image:
        yield boot("systemd", image, memory=512)


def test_a_login_opens_a_session_on_the_first_console(nobody, homes):
    homes.lay("anna", group=1400)
    homes.at_login("anna", "tty >~/tty; id -u >~/number; cat /proc/self/cgroup >~/session; pwd >~/place")

    assert nobody.tell("login anna") == "201 anna is logged in"

    homes.done("anna")
    assert [homes.wrote("anna", file) for file in ("tty", "number", "place")] == [
        "/dev/tty1\n",
        "1400\n",
        "/home/anna\n",
    ]
    assert "/user-1400.slice/session-" in homes.wrote("anna", "session")


def test_a_new_user_s_home_holds_the_skeleton_s_files_and_they_are_theirs(nobody, homes):
    """The number is the next after those in the homes and in the guest."""
    assert nobody.tell("login bert") == "201 bert is logged in"

    number = homes.group("bert")
    assert number > 1300
    assert homes.wrote("bert", ".hello") == "hello\n"
    assert [homes.owner(f"bert/{name}") for name in (".hello", "folder", "folder/file")] == [number] * 3
    assert [homes.group(f"bert/{name}") for name in (".hello", "folder", "folder/file")] == [number] * 3


def test_nothing_of_a_session_is_left_not_even_what_would_linger(nobody, homes):
    homes.lay("cora", group=1410)
    homes.at_login("cora", "trap '' HUP TERM; loginctl enable-linger; setsid sleep 1234 & sleep 1235 &")
    assert nobody.tell("login cora") == "201 cora is logged in"
    homes.done("cora")

    assert nobody.tell("logout") == "202 Nobody is logged in"

    homes.lay("dirk", group=1411)
    homes.at_login("dirk", "ps >~/processes; ls /var/lib/systemd/linger >~/lingering")
    assert nobody.tell("login dirk") == "201 dirk is logged in"
    homes.done("dirk")
    processes = homes.wrote("dirk", "processes")
    assert "dirk" in processes
    assert "cora" not in processes
    assert "sleep" not in processes
    assert homes.wrote("dirk", "lingering") == ""


def test_a_session_outlives_the_agent(nobody, homes):
    """The agent is started again each time the line was closed."""
    homes.lay("ella", group=1420)
    homes.at_login("ella", "echo $$ >>~/shells")
    nobody.tell("login ella")
    homes.done("ella")

    nobody.hang_up()
    assert nobody.call() == "220 Hello"

    assert nobody.tell("login ella") == "201 ella is logged in already"
    assert len(homes.wrote("ella", "shells").splitlines()) == 1


@pytest.mark.parametrize("name", ["messagebus", "ops", "tty"])
def test_accounts_and_groups_of_the_guest_s_own_are_refused_for_good(nobody, name):
    """Whatever their number is, where it is not that of a home."""
    assert nobody.tell(f"login {name}").startswith("504 ")


def test_whose_session_does_not_begin_is_not_logged_in(nobody, homes):
    """An account that has expired is one that everything knows and nothing lets in."""
    homes.lay("shut", group=1440)
    homes.lay("gina", group=1450)

    assert nobody.tell("login shut") == "451 shut has no session after 30 seconds. Look into the guest's journal."

    assert nobody.tell("login gina") == "201 gina is logged in"


def test_whom_a_directory_knows_is_logged_in_as_it_says(nobody, homes):
    """With its number, group and home, and nothing is made for them: no account, no other home, and no number is claimed."""
    homes.lay("staff-lena", owner=71000, group=71001, permissions=0o700)
    homes.at_login("staff-lena", "id -u >~/number; id -g >~/group; pwd >~/place; cat /etc/passwd >~/accounts")
    before = homes.names()
    claimed = homes.claims()

    assert nobody.tell("login lena") == "201 lena is logged in"

    homes.done("staff-lena")
    assert [homes.wrote("staff-lena", file) for file in ("number", "group", "place")] == [
        "71000\n",
        "71001\n",
        "/home/staff-lena\n",
    ]
    assert "lena" not in homes.wrote("staff-lena", "accounts")
    assert (homes.names(), homes.claims()) == (before, claimed)
    assert not homes.has_access_list("staff-lena")


def test_whom_a_directory_gives_a_number_of_the_system_s_is_refused_for_good(nobody):
    assert nobody.tell("login otto") == "504 otto is the system's or this guest's own."


def test_a_home_that_a_directory_names_is_to_be_there(nobody, homes):
    """To make it is for those who keep the directory; a link might lead into somebody else's."""
    homes.lay("staff-lutz", kind=stat.S_IFLNK, owner=71004, group=71004)

    for name in ("rosa", "lutz"):
        assert nobody.tell(f"login {name}") == (
            f"451 /home/staff-{name} is missing or no directory. Make it by pam_mkhomedir or by hand."
        )

    assert "staff-rosa" not in homes.names()


def test_nobody_gets_the_number_of_whom_a_directory_knows(nobody, homes):
    """Neither by a home of theirs, nor because it would be the next."""
    homes.lay("mira", group=2100)
    assert nobody.tell("login mira") == "451 The number 2100 of mira is that of nils in this guest."
    homes.set_group("mira", 2099)

    assert nobody.tell("login olga") == "201 olga is logged in"

    assert homes.group("olga") == 2101
