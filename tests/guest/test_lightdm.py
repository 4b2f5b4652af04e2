"""The agent beside a real display manager, which has a real X server on the screen: both are started and ended many times."""

import re

import pytest

from tests.guest.patience import within
from tests.guest.recipes import LIGHTDM
from tests.guest.systemd_guest import build_systemd_guest
from vmpool_ext.backends.qemu.guest_image import default_cache


@pytest.fixture(scope="module")
def guest(boot, homes):
    """Its folder of LightDM's settings is as one on a disk: what is there outlasts a reset."""
    homes.lay(".lightdm.conf.d", group=0, permissions=0o755)
    with build_systemd_guest(default_cache(), LIGHTDM) as image:
        yield boot("lightdm", image, memory=512)


def who_runs_something(guest):
    """Give the users that LightDM's greeter has seen, each time that it was on the screen."""
    seen = re.compile(r" greeter\[\d+\]: Seen: (.*), and nobody else")
    return [set(users.split()) for line in guest.serial() for users in seen.findall(line)]


def greeted_since(guest, before):
    """Wait until nobody but the system is there when the greeter is."""
    system = {"USER", "root", "messageb", "lightdm"}
    within(60, lambda: any(users <= system for users in who_runs_something(guest)[before:]))


def test_a_user_has_a_session_of_the_display_manager_s_until_they_are_logged_out(nobody, homes):
    """It is a user's, on the seat with the screen, and the X server does what it is asked in it."""
    homes.lay("anna", group=1400)
    facts = " ".join(f"--property={name}" for name in ("Name", "Class", "Seat", "Service", "Type", "Display"))
    homes.at_login("anna", f"loginctl show-session $XDG_SESSION_ID {facts} >~/session; xkbcomp $DISPLAY ~/keyboard")

    assert nobody.tell("login anna") == "201 anna is logged in"

    homes.done("anna")
    assert set(homes.wrote("anna", "session").splitlines()) == {
        "Name=anna",
        "Class=user",
        "Seat=seat0",
        "Service=lightdm-autologin",
        "Type=x11",
        "Display=:0",
    }
    assert "xkb_keymap" in homes.wrote("anna", "keyboard")
    before = len(who_runs_something(nobody))

    assert nobody.tell("logout") == "202 Nobody is logged in"

    greeted_since(nobody, before)


def test_a_second_user_s_login_ends_the_session_of_the_first(nobody, homes):
    homes.lay("bert", group=1410)
    homes.at_login("bert", "trap '' HUP TERM; setsid sleep 1234 &")
    assert nobody.tell("login bert") == "201 bert is logged in"
    homes.done("bert")

    homes.lay("cora", group=1411)
    homes.at_login("cora", "ps >~/processes")
    assert nobody.tell("login cora") == "201 cora is logged in"

    homes.done("cora")
    seen = homes.wrote("cora", "processes")
    assert "cora" in seen
    assert "bert" not in seen
    assert "sleep 1234" not in seen


def test_nobody_is_logged_in_by_itself_after_a_reset(nobody, homes):
    """LightDM does not mind that the file with the name is gone to which its settings still lead."""
    homes.lay("dirk", group=1420)
    homes.at_login("dirk", "echo $XDG_SESSION_ID >>~/sessions")
    assert nobody.tell("login dirk") == "201 dirk is logged in"
    homes.done("dirk")
    before = len(who_runs_something(nobody))

    nobody.ask("system_reset")
    assert nobody.hear() == "220 Hello"

    greeted_since(nobody, before)
    assert (homes.folder / ".lightdm.conf.d" / "zz-vmpool-agent.conf").exists()
    assert len(homes.wrote("dirk", "sessions").splitlines()) == 1
