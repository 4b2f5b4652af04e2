"""Consoles of SPICE displays in tabs: real machines, our relay between, a real browser in front."""

import re

import pytest
from playwright.sync_api import expect

from tests.spice_machine import PATIENCE
from tests.story import axe
from tests.story.chromium import RESULTS
from tests.story.played_lab import set_theme
from tests.story.spice_backend import DESK, LAB
from tests.story.spice_lab import a_spice_lab
from tests.story.test_story import confirm, type_into_guest

pytestmark = pytest.mark.browser

CHANNELS = [1, 2, 3, 4]
"""Main, display, inputs, cursor."""
SPICE, VNC = "REDQ", "RFB 003"
"""What only the one library says, and only the other."""
SIZE = "vm => { const c = document.querySelector(`[data-vm=${vm}] canvas`); return c && `${c.width}x${c.height}`; }"
FOCUSED = "document.activeElement.getAttribute('aria-label')"
TAB = ".jp-MainAreaWidget:has([data-vm=desk-1])"


@pytest.fixture(scope="module")
def lab():
    with a_spice_lab() as lab:
        yield lab


@pytest.fixture
def open_page(browser, lab):
    """Open JupyterLab in a window of its own; whatever it complains of fails the test."""
    complaints = []

    def open_page():
        page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
        page.set_default_timeout(PATIENCE * 1000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.goto(lab.address)
        page.locator("#jupyterlab-splash").wait_for(state="detached")
        page.locator("[data-id=vmpool-panel]").click()
        return page

    expect.set_options(timeout=PATIENCE * 1000)
    yield open_page
    assert complaints == []


@pytest.fixture
def page(open_page):
    page = open_page()
    yield page
    page.screenshot(path=RESULTS / "spice-last.png")


@pytest.fixture
def desk(page, lab):
    """The console of the VM from the pool."""
    card = page.locator("[data-pool=desk]")
    if card.get_attribute("data-state") != "running":
        card.locator("[data-action=start]").click()
    return opened(page, card, DESK)


def opened(page, card, vm):
    card.locator("[data-action=console]").click()
    console = page.locator(f"[data-vm={vm}]")
    expect(console).to_have_attribute("data-console-state", "connected")
    return console


def lab_card(page):
    return page.locator(f"[data-vm-card={LAB}]")


def hears(lab, vm, page, words):
    """Type it into the console that has the focus, and wait until the guest has said it."""
    type_into_guest(page, f"echo {words} > /dev/ttyS0", held=30)
    lab.machines[vm].until(lambda: f"{words}\n" in lab.machines[vm].serial.replace("\r", ""))


def test_two_guests_are_worked_in_beside_each_other_and_either_may_change_its_resolution(page, lab, desk):
    desk.locator("canvas").click()
    hears(lab, DESK, page, "one")
    assert lab.machines[DESK].channels() == CHANNELS
    second = opened(page, lab_card(page), LAB)
    second.locator("canvas").click()
    hears(lab, LAB, page, "two")
    before = page.evaluate(SIZE, LAB)

    lab.machines[LAB].reset()
    page.wait_for_function(f"([vm, before]) => ![before, null].includes(({SIZE})(vm))", arg=[LAB, before])
    lab.machines[LAB].wait_for_greeting()
    page.wait_for_function(f"([vm, before]) => ({SIZE})(vm) === before", arg=[LAB, before])

    assert page.evaluate(FOCUSED) == "Screen of lab-1", "keys stay with the guest"
    hears(lab, LAB, page, "three")
    page.get_by_role("tab", name=DESK).click()
    hears(lab, DESK, page, "four")
    assert axe.problems(page, TAB, "#vmpool-panel") == []


def test_only_the_library_that_a_console_needs_is_loaded_and_only_then(page, lab):
    loaded = []
    page.on("response", lambda response: loaded.append(response) if "vmpool-ext" in response.url else None)

    opened(page, lab_card(page), LAB)

    code = "".join(response.text() for response in loaded)
    assert (SPICE in code, VNC in code) == (True, False)
    assert any(re.search(r"/spice-html5\.\w+\.js", response.url) for response in loaded), "a chunk of its own"


def test_a_console_fits_its_tab_and_the_mouse_points_where_it_is(page, lab, desk):
    for width, theme in ((1280, "Dark"), (700, "Light")):
        set_theme(page, theme)
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_function(
            "vm => { const around = document.querySelector(`[data-vm=${vm}] .jp-VmPool-Screen`).getBoundingClientRect();"
            " const box = document.querySelector(`[data-vm=${vm}] canvas`).getBoundingClientRect();"
            " return Math.abs(around.width - box.width) < 1 && box.height < around.height; }",
            arg=DESK,
        )
        page.screenshot(path=RESULTS / f"spice-{theme.lower()}-{width}.png")
    box = desk.locator("canvas").bounding_box()

    page.evaluate("vm => document.querySelector(`[data-vm=${vm}] canvas`).addEventListener('mousemove',"
                  " event => { window.seen = [event.offsetX, event.offsetY]; })", DESK)  # fmt: skip
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 4)

    assert page.evaluate("window.seen") == [pytest.approx(480, abs=2), pytest.approx(150, abs=2)]


def test_whoever_opens_a_console_elsewhere_has_it_and_nobody_takes_it_back_unasked(page, open_page, lab):
    first = opened(page, lab_card(page), LAB)

    other = open_page()
    second = opened(other, lab_card(other), LAB)

    expect(first).to_have_attribute("data-console-state", "closed")
    expect(first).to_contain_text("It was opened elsewhere")
    page.screenshot(path=RESULTS / "spice-elsewhere.png")
    second.locator("canvas").click()
    hears(lab, LAB, other, "it is here")

    page.locator("[data-action=reconnect]").click()
    expect(first).to_have_attribute("data-console-state", "connected")
    expect(second).to_have_attribute("data-console-state", "closed")


def test_a_wrong_password_is_a_loss_like_another(page, lab):
    asked = re.compile("/vms/lab-1/console")

    def lie(route):
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "password": "guessed"})

    page.route(asked, lie)
    lab_card(page).locator("[data-action=console]").click()
    console = page.locator(f"[data-vm={LAB}]")
    expect(console).to_have_attribute("data-console-state", "reconnecting")

    page.unroute(asked)

    expect(console).to_have_attribute("data-console-state", "connected")


def test_virt_viewer_gets_a_file_for_the_same_display(page, lab):
    card = lab_card(page)
    with page.expect_download() as downloading:
        card.locator("[data-action=file]").click()

    file = downloading.value
    assert file.suggested_filename == "lab-1.vv"
    assert f"host=127.0.0.1\nport={lab.machines[LAB].port}\npassword=" in file.path().read_text()
    expect(page.locator(f"[data-vm={LAB}]")).to_have_count(0)


def test_a_console_ends_with_its_vm_comes_back_with_it_and_is_over_when_it_is_given_back(page, lab, desk):
    card = page.locator("[data-pool=desk]")
    card.locator("[data-action=stop]").click()
    confirm(page, "Stop")
    expect(desk).to_have_attribute("data-console-state", "closed")
    lab.machines[DESK].until(lambda: lab.machines[DESK].channels() == [])

    card.locator("[data-action=start]").click()
    expect(desk).to_have_attribute("data-console-state", "connected")

    card.locator("[data-action=release]").click()
    confirm(page, "Give back")
    expect(desk).to_have_attribute("data-console-state", "closed")
    expect(desk).to_contain_text("no longer yours")
    lab.machines[DESK].until(lambda: lab.machines[DESK].channels() == [])
    assert "Traceback" not in lab.log
