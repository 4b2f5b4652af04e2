"""All that is ours outside of the cards (those: test_panel_states.py), for people who see, hear or move otherwise."""

import pytest
from playwright.sync_api import expect

from tests.story import axe
from tests.story.chromium import RESULTS
from tests.story.played_lab import a_played_page, set_theme, set_width
from tests.story.played_server import a_picture, a_pool, a_vm, an_own_vm, because
from tests.story.test_panel_states import OVERFLOWING, STATES

pytestmark = pytest.mark.browser

PANEL, DIALOG, TOAST = "#vmpool-panel", ".jp-Dialog", ".Toastify__toast"
TILE, TAB = ".jp-LauncherCard[data-category='VM Pools']", ".jp-MainAreaWidget:has(.jp-VmPool-Console)"
ON = {"start": because("already-running")}
RUNNING = a_picture(a_pool("linux", a_vm("linux-1"), why=ON))
TAKEABLE = an_own_vm("build-7", console="inUse", used_by="bob", why=ON)
TICKET = {
    "vm": "linux-1", "engine": "vnc", "url": "vms/linux-1/display", "ticket": "t", "password": "p",
    "expiresAt": "2026-11-22T09:05:10Z", "file": None,
}  # fmt: skip
THEMES = ["Light", "Dark"]
FOCUSED = "document.activeElement.getAttribute('aria-label') || document.activeElement.innerText"
MOVING = """place => document.getAnimations()
    .filter(({ effect }) => document.querySelector(place).contains(effect.target))
    .map(({ animationName }) => animationName)"""
HEARD = """place => {
    const told = document.querySelector(place);
    window.heard = [];
    new MutationObserver(() => window.heard.push(told.textContent))
        .observe(told, { characterData: true, childList: true, subtree: true });
}"""
CUT_OFF = """bar => [...bar.querySelectorAll('button, .jp-VmPool-Leave')]
    .filter(part => {
        const [inner, outer] = [part, bar].map(node => node.getBoundingClientRect());
        return part.scrollWidth > part.clientWidth || inner.left < outer.left || inner.right > outer.right
            || inner.top < outer.top || inner.bottom > outer.bottom;
    }).map(part => part.outerHTML)"""
UNLIKE_TEXT = """panel => [...panel.querySelectorAll('.jp-VmPool-Icon')]
    .filter(icon => [...icon.querySelectorAll('.jp-icon3')].some(shape =>
        getComputedStyle(shape).fill !== getComputedStyle(icon.parentElement).color))
    .map(icon => icon.parentElement.outerHTML)"""


@pytest.fixture(scope="module")
def page(lab_alone):
    """One page for all tests."""
    with a_played_page(lab_alone) as page:
        yield page


@pytest.fixture
def server(page):
    page.server.asked.clear()
    page.server.answers = {"pools/linux/console": (200, TICKET)}
    page.server.show(RUNNING)
    expect(page.locator("[data-pool=linux]")).to_have_attribute("data-state", "running")
    return page.server


@pytest.fixture
def panel(page):
    return page.locator(PANEL)


@pytest.fixture
def console(page, server):
    """Opens the console's tab, and closes it in the end."""

    def open_it():
        page.evaluate("window.jupyterapp.commands.execute('vmpool:console', { pool: 'linux' })")
        return page.locator("[data-vm=linux-1]")

    yield open_it
    page.evaluate("window.jupyterapp.shell.currentWidget.close()")
    expect(page.locator(TAB)).to_have_count(0)
    page.display.lose()


@pytest.fixture(params=["light", "dark"])
def high_contrast(request, page):
    """The system's own colours, as Windows has them."""
    page.emulate_media(forced_colors="active", color_scheme=request.param)
    yield request.param
    page.emulate_media(forced_colors="none", color_scheme="light")


@pytest.fixture
def narrow(page):
    """320 px, which is what 400 % zoom leaves of a common screen, and the side bar shut."""
    page.set_viewport_size({"width": 320, "height": 640})
    page.evaluate("window.jupyterapp.shell.collapseLeft()")
    yield
    page.set_viewport_size({"width": 1280, "height": 1000})
    page.evaluate("window.jupyterapp.shell.expandLeft()")


@pytest.fixture
def large_text(page, panel):
    """Twice the size, at 320 px; JupyterLab's own setting does no more than this."""
    set_width(page, panel, 320)
    style = page.add_style_tag(content=":root { --jp-ui-font-size1: 26px !important; }")
    yield
    style.evaluate("style => style.remove()")
    set_width(page, panel, 250)


def connected(page, tab):
    """Let the display answer, which has been opened by the time that there is something to draw on."""
    expect(tab.locator("canvas")).to_be_attached()
    page.display.answer()
    expect(tab).to_have_attribute("data-console-state", "connected")
    return tab


def in_both_themes(page, *places):
    """What axe-core finds there, light and dark."""
    for theme in THEMES:
        set_theme(page, theme)
        assert axe.problems(page, *places) == [], theme


def test_tiles_are_accessible(page, server):
    in_both_themes(page, TILE)


@pytest.mark.parametrize(
    ("card", "action"),
    [("linux", "stop"), ("linux", "reset"), ("linux", "release"), ("build-7", "console")],
)
def test_a_question_is_accessible_and_escape_takes_it_back(page, server, panel, card, action):
    """The focus is on the answer that does no harm, and returns to where it was."""
    server.show(a_picture(*RUNNING["pools"], vms=[TAKEABLE]))
    button = panel.locator(f"[data-pool={card}], [data-vm-card={card}]").locator(f"[data-action={action}]")
    for theme in THEMES:
        set_theme(page, theme)
        button.focus()
        page.keyboard.press("Enter")
        expect(page.locator(DIALOG).get_by_role("button", name="Cancel")).to_be_focused()
        assert axe.problems(page, DIALOG) == [], theme

        page.keyboard.press("Escape")
        expect(page.locator(DIALOG)).to_have_count(0)
        expect(button).to_be_focused()
    assert server.asked == []


def test_what_is_told_of_a_refusal_is_accessible(page, server, panel):
    panel.locator("[data-pool=linux] [data-action=stop]").click()
    page.locator(DIALOG).get_by_role("button", name="Stop").click()
    expect(page.locator(TOAST, has_text="Stop linux: It is off.")).to_be_visible()
    page.locator(TOAST).last.hover()
    in_both_themes(page, TOAST)
    page.locator(TOAST).last.get_by_role("button", name="Hide notification").click()
    expect(page.locator(TOAST)).to_have_count(0)


def test_a_console_is_accessible_connecting_connected_and_after_a_loss(page, console):
    tab = console()
    expect(page.locator(TAB)).to_contain_text("Connecting…")
    in_both_themes(page, TAB)
    connected(page, tab)
    in_both_themes(page, TAB)
    page.display.lose()
    expect(tab).to_have_attribute("data-console-state", "reconnecting")
    assert axe.problems(page, TAB) == []


def test_a_console_is_accessible_that_is_refused(page, server, console):
    del server.answers["pools/linux/console"]
    expect(console()).to_contain_text("Closed: It is off.")
    in_both_themes(page, TAB)


def test_a_console_is_accessible_that_somebody_else_has(page, server, console):
    """The tab that comes back with the layout while another is connected: it asks for no ticket."""
    server.show(a_picture(a_pool("linux", a_vm("linux-1", console="inUse"), why=ON)))
    page.evaluate("window.jupyterapp.commands.execute('vmpool:restore-console', { pool: 'linux' })")
    expect(page.locator("[data-vm=linux-1]")).to_contain_text("Somebody else is connected")
    in_both_themes(page, TAB)
    assert server.asked == []


def test_the_screen_says_by_which_keys_it_is_left_and_is_left_by_them(page, console):
    tab = connected(page, console())
    screen = tab.get_by_role("application", name="Screen of linux-1")
    way_out = "Leave the console with Ctrl+Shift+Escape or Ctrl+F6"
    expect(screen).to_be_focused()
    expect(screen).to_have_accessible_description(way_out)
    expect(page.locator(TAB).get_by_role("toolbar").get_by_text(way_out)).to_be_visible()

    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    expect(screen).to_be_focused()
    page.keyboard.press("Control+Shift+Escape")
    expect(page.get_by_role("button", name="Ctrl-Alt-Del to linux-1")).to_be_focused()


def test_the_way_out_is_told_whole_in_a_narrow_tab(page, console, narrow):
    connected(page, console())
    page.screenshot(path=RESULTS / "console-narrow.png")
    assert page.locator(TAB).get_by_role("toolbar").evaluate(CUT_OFF) == []
    in_both_themes(page, TAB)


def test_the_panel_takes_the_focus_of_who_opens_it(page, server, panel):
    """From there, Tab gets to its first button that can be reached."""
    page.locator(TILE).focus()
    page.evaluate("window.jupyterapp.commands.execute('vmpool:open-panel')")
    expect(panel).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUSED) == "Start linux"


def test_the_focus_stays_in_the_panel_when_its_card_goes(page, server, panel):
    panel.locator("[data-pool=linux] [data-action=stop]").focus()
    server.show(a_picture())
    expect(panel.get_by_role("heading", name="Virtual machines")).to_be_focused()


def test_a_hint_that_covers_something_goes_by_escape(page, server, panel):
    server.show(STATES["off"][0])
    hint = "button => getComputedStyle(button, '::after').content"
    stop = panel.locator("[data-pool=linux] [data-action=stop]")
    panel.locator("[data-pool=linux] [data-action=console]").focus()
    page.keyboard.press("Tab")
    assert "is off" in stop.evaluate(hint)

    page.keyboard.press("Escape")
    assert stop.evaluate(hint) == "none"
    expect(stop).to_be_focused()


def test_each_change_is_announced_once(page, server, panel):
    """However often the server tells the same."""
    page.evaluate(HEARD, "[data-announcer]")
    for name in ("stopping", "stopping", "off", "off"):
        server.show(STATES[name][0])
        expect(panel).to_contain_text(STATES[name][1][0])
    assert page.evaluate("window.heard") == ["linux-1: Shutting down", "linux-1: Off"]


def test_nothing_moves_for_who_does_not_want_it(page, server, panel):
    for name in ("starting", "booting", "being prepared", "loading"):
        server.show(STATES[name][0])
        expect(panel).to_contain_text(STATES[name][1][0])
        page.emulate_media(reduced_motion="no-preference")
        assert page.evaluate(MOVING, PANEL), name
        page.emulate_media(reduced_motion="reduce")
        assert page.evaluate(MOVING, PANEL) == [], name


def test_in_high_contrast_icons_are_seen_as_their_text_is(page, server, panel, high_contrast):
    for name, (picture, words) in STATES.items():
        server.show(picture)
        expect(panel).to_contain_text(words[0])
        assert panel.evaluate(UNLIKE_TEXT) == [], name
    server.show(STATES["no VM yet"][0])
    start = panel.locator("[data-pool=linux] [data-action=start]")
    page.keyboard.press("Tab")
    start.focus()
    assert start.evaluate("button => parseFloat(getComputedStyle(button).outlineWidth)") >= 2
    assert start.evaluate("button => getComputedStyle(button).borderStyle") == "solid"
    panel.screenshot(path=RESULTS / f"panel-high-contrast-{high_contrast}.png")


def test_text_of_twice_the_size_fits(page, server, panel, large_text):
    for name, (picture, words) in STATES.items():
        server.show(picture)
        expect(panel).to_contain_text(words[0])
        assert panel.evaluate(OVERFLOWING) == [], name
        panel.screenshot(path=RESULTS / f"panel {name} large.png".replace(" ", "-"))
