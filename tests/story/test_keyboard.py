"""The main job without a mouse: from the tile into the console, out of it again, and the VM given back."""

import pytest
from playwright.sync_api import expect

from tests.story import axe
from tests.story.test_story import type_into_guest

pytestmark = pytest.mark.browser

FOCUSED = "document.activeElement.getAttribute('aria-label') || document.activeElement.innerText"
FAR = 80
"""Presses of Tab; JupyterLab's own stops are on the way."""
SCREEN, LEFT = "Screen of demo-1", "Ctrl-Alt-Del to demo-1"
TAB = ".jp-MainAreaWidget:has(.jp-VmPool-Console)"
KEYS = {"Tab": "09", "Control+b": "02", "Escape": "1b", "F1": "1b5b5b41", "Control+Shift+c": "03"}
"""What a terminal of Linux makes of these keys."""


def tab_to(page, name, key="Tab"):
    """Press Tab until the focus is on what has this name."""
    passed = []
    while (here := page.evaluate(FOCUSED)) != name:
        passed.append(here)
        assert len(passed) < FAR, passed
        page.keyboard.press(key)


def is_focused(page, name):
    """Wait until the focus is on what has this name."""
    page.wait_for_function(f"name => ({FOCUSED}) === name", arg=name)


def guest_hears(lab, page):
    """Press keys that JupyterLab and browsers have other uses for, and look what comes to a terminal in the guest."""
    type_into_guest(page, "stty raw -echo; echo ready > /dev/ttyS0; head -c 8 | xxd -p > /dev/ttyS0; stty sane")
    lab.until(lambda: "ready" in lab.serial())
    for key in KEYS:
        page.keyboard.press(key)
    lab.until(lambda: "".join(KEYS.values()) in lab.serial())


def test_a_person_without_a_mouse_gets_a_vm_works_in_it_leaves_it_and_gives_it_back(lab, page):
    """Nothing is clicked; every step begins where the one before has left the focus."""
    expect(page.locator(".jp-LauncherCard", has_text="demo")).to_be_visible()
    tab_to(page, "demo")
    page.keyboard.press("Enter")
    console = page.locator("[data-vm=demo-1]")
    expect(console).to_have_attribute("data-console-state", "connected")
    is_focused(page, SCREEN)
    lab.until(lambda: lab.ask("pools/demo")["vm"]["booted"])

    guest_hears(lab, page)
    expect(page.locator("#vmpool-panel"), "Ctrl+B is the guest's").to_be_visible()
    expect(page.locator("#modal-command-palette"), "Ctrl+Shift+C is the guest's").not_to_be_visible()
    assert axe.problems(page, TAB, "#vmpool-panel") == []

    page.keyboard.press("Control+Shift+Escape")
    is_focused(page, LEFT)
    page.keyboard.press("ArrowRight")
    is_focused(page, "Reconnect demo-1")
    page.keyboard.press("ArrowLeft")
    tab_to(page, SCREEN)
    type_into_guest(page, "echo no key is held down > /dev/ttyS0")
    lab.until(lambda: "no key is held down" in lab.serial())

    lab.ask("pools/demo/stop", "POST")
    expect(console).to_have_attribute("data-console-state", "closed")
    is_focused(page, "Console of demo-1, from the pool demo")
    lab.ask("pools/demo/start", "POST")
    expect(console).to_have_attribute("data-console-state", "connected")
    is_focused(page, SCREEN)

    page.keyboard.press("Control+F6")
    is_focused(page, LEFT)
    tab_to(page, "Give back demo", "Shift+Tab")
    page.keyboard.press("Enter")
    is_focused(page, "Cancel")
    page.keyboard.press("Escape")
    is_focused(page, "Give back demo")
    page.keyboard.press("Enter")
    is_focused(page, "Cancel")
    page.keyboard.press("Tab")
    is_focused(page, "Give back")
    page.keyboard.press("Enter")

    is_focused(page, "Start demo")
    assert lab.ask("pools/demo")["vm"] is None
    expect(console).to_have_attribute("data-console-state", "closed")
    assert axe.problems(page, TAB, "#vmpool-panel") == []
