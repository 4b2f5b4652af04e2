"""What the agent writes for each display manager, as their own documentation has it: only LightDM runs in other tests."""

import configparser
import runpy
from pathlib import Path

import pytest

AGENT = runpy.run_path(str(Path(__file__).parents[2] / "guest" / "agent" / "vmpool_agent.py"))

SETTINGS = {
    "gdm.service": {"daemon": {"AutomaticLoginEnable": "true", "AutomaticLogin": "ann"}},
    "gdm3.service": {"daemon": {"AutomaticLoginEnable": "true", "AutomaticLogin": "ann"}},
    "lightdm.service": {"Seat:*": {"autologin-user": "ann", "autologin-user-timeout": "0"}},
    "sddm.service": {"Autologin": {"User": "ann", "Relogin": "false"}},
}
FOUND_IN = {
    "gdm.service": "/run/gdm",
    "gdm3.service": "/run/gdm3",
    "lightdm.service": "/etc/lightdm/lightdm.conf.d",
    "sddm.service": "/etc/sddm.conf.d",
    "getty@tty1.service": "/run/systemd/system/getty@tty1.service.d",
}


@pytest.mark.parametrize("unit", SETTINGS)
def test_a_display_manager_is_told_in_its_own_words_whom_to_log_in(unit):
    """By its name in /etc/systemd/system/display-manager.service."""
    _, text, _ = AGENT["AUTOLOGINS"][unit]
    parser = configparser.ConfigParser()
    parser.optionxform = str

    parser.read_string(text.format("ann"))

    assert {section: dict(parser[section]) for section in parser.sections()} == SETTINGS[unit]


@pytest.mark.parametrize("unit", FOUND_IN)
def test_what_logs_somebody_in_is_where_it_is_looked_for_and_does_not_outlive_a_crash(unit):
    """Where nothing is read from /run, a link leads there: to nothing, after a crash, as the programs then do not mind."""
    path, _, link = AGENT["AUTOLOGINS"][unit]

    assert path.startswith("/run/")
    assert str(Path(link or path).parent) == FOUND_IN[unit]
    assert (link or path).endswith(".conf")
