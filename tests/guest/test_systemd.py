"""The agent as it is installed in a guest of systemd's: started by udev, and with agetty, PAM and logind for its sessions."""

import pytest

from tests.guest.systemd_guest import build_systemd_guest
from vmpool_ext.backends.qemu.guest_image import default_cache


@pytest.fixture(scope="module")
def guest(boot):
    """Has greeted, so the rule and the unit have started the agent."""
    with build_systemd_guest(default_cache()) as image:
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

    assert nobody.tell("login shut") == "451 shut has no session after 20 seconds. Look into the guest's journal."

    assert nobody.tell("login gina") == "201 gina is logged in"
