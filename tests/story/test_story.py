"""The main job, as a person does it: in a real JupyterLab, with a real VM, seen in a real browser."""

import os
import signal

import pytest
from playwright.sync_api import expect

from tests.story.conftest import RESULTS

pytestmark = pytest.mark.browser

SHIFTED = {">": "Period", "S": "KeyS", "|": "Backslash"}


def type_into_guest(page, text, held=0):
    """Press the keys of a US keyboard: a display carries keys, not characters. Each is held down for some milliseconds."""
    for character in text:
        if character in SHIFTED:
            page.keyboard.press(f"Shift+{SHIFTED[character]}", delay=held)
        else:
            page.keyboard.type(character, delay=held)
    page.keyboard.press("Enter")


def confirm(page, word):
    page.locator(".jp-Dialog").get_by_role("button", name=word, exact=True).click()


def test_a_person_gets_a_vm_works_in_it_and_gives_it_back(lab, page):
    page.locator("[data-id=vmpool-panel]").click()
    card = page.locator("[data-pool=demo]")
    expect(card).to_contain_text("3 of 3 free")

    card.locator("[data-action=start]").click()
    expect(card).to_contain_text("demo-1")
    expect(card).to_have_attribute("data-state", "running")
    name, actions = (
        card.get_by_role("heading", name="demo-1").bounding_box(),
        card.locator("[data-action=stop]").bounding_box(),
    )
    assert name["y"] + name["height"] <= actions["y"], "the name stands above the actions"
    lab.until(lambda: lab.ask("pools/demo")["vm"]["booted"])

    card.locator("[data-action=console]").click()
    console = page.locator("[data-vm=demo-1]")
    expect(console).to_have_attribute("data-console-state", "connected")
    console.locator("canvas").click()
    lab.until(lambda: lab.ask("pools/demo")["vm"]["console"] == "open")
    type_into_guest(page, "echo typed in jupyterlab > /dev/ttyS0")
    lab.until(lambda: "typed in jupyterlab" in lab.serial())
    for command in ("clear", "uname -a", "free -m", "echo seen > /dev/ttyS0"):
        type_into_guest(page, command)
    lab.until(lambda: "seen" in lab.serial())
    RESULTS.mkdir(exist_ok=True)
    page.screenshot(path=RESULTS / "panel-and-console.png")

    card.locator("[data-action=stop]").click()
    confirm(page, "Stop")
    expect(card).to_have_attribute("data-state", "stopped")
    assert lab.ask("pools/demo")["vm"]["state"] == "stopped"

    card.locator("[data-action=start]").click()
    expect(console).to_have_attribute("data-console-state", "connected")

    card.locator("[data-action=release]").click()
    confirm(page, "Give back")
    expect(card).to_contain_text("3 of 3 free")
    expect(console).to_have_attribute("data-console-state", "closed")
    assert lab.ask("pools/demo")["vm"] is None


def test_a_person_is_logged_in_to_a_workplace_and_at_home_there(lab, page):
    page.locator("[data-id=vmpool-panel]").click()
    card = page.locator("[data-pool=workplace]")
    expect(card).to_contain_text("2 of 2 free")

    card.locator("[data-action=start]").click()
    expect(card).to_contain_text("Logged in as demo")

    card.locator("[data-action=console]").click()
    console = page.locator("[data-vm=workplace-1]")
    expect(console).to_have_attribute("data-console-state", "connected")
    console.locator("canvas").click()
    for command in ("echo kept > note", "ls -l", "pwd > /dev/ttyS0"):
        type_into_guest(page, command)
    lab.until(lambda: "/home/demo" in lab.serial())
    RESULTS.mkdir(exist_ok=True)
    page.screenshot(path=RESULTS / "workplace.png")

    card.locator("[data-action=release]").click()
    confirm(page, "Give back")
    expect(card).to_contain_text("2 of 2 free")
    assert lab.ask("pools/workplace")["vm"] is None


def test_what_a_notebook_does_is_seen_in_the_panel_at_once(lab, page):
    page.locator("[data-id=vmpool-panel]").click()
    card = page.locator("[data-pool=demo]")
    expect(card).to_contain_text("3 of 3 free")

    lab.ask("pools/demo/start", "POST")
    expect(card).to_have_attribute("data-state", "running")

    (pid,) = lab.machines().values()
    os.kill(pid, signal.SIGKILL)
    expect(card).to_have_attribute("data-state", "failed")


def test_ctrl_c_leaves_no_vm_behind(lab):
    lab.ask("pools/demo/start", "POST")
    lab.until(lambda: set(lab.machines()) == {"demo-1"})

    lab.interrupt()

    assert lab.machines() == {}
