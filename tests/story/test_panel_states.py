"""Every state of the panel, drawn by a real JupyterLab in a real browser; the pictures are left in test-results/."""

import pytest
from playwright.sync_api import expect

from tests.story import axe
from tests.story.conftest import RESULTS
from tests.story.played_lab import a_played_page, set_theme, set_width
from tests.story.played_server import a_picture, a_pool, a_vm, an_own_vm, because

pytestmark = pytest.mark.browser

PANEL = "#vmpool-panel"
LONG = "a-pool-with-a-name-that-is-longer-than-any-panel-would-ever-be-wide"
CONSOLE = {
    "vm": "win11-1", "engine": "vnc", "url": "vms/win11-1/display", "ticket": "t", "password": "p", "expiresAt": "2026-11-22T09:05:10Z",
    "file": {"name": "win11-1.vv", "type": "application/x-virt-viewer", "content": "[virt-viewer]\ntype=spice\n"},
}  # fmt: skip
OVERFLOWING = """panel => [...panel.querySelectorAll('*'), panel]
    .filter(node => !node.closest('.jp-VmPool-Hidden'))
    .filter(node => node.getBoundingClientRect().right > panel.getBoundingClientRect().right + 0.5
        || (node === panel && node.scrollWidth > node.clientWidth))
    .map(node => node.outerHTML.slice(0, 200))"""


def a_problem(code, message):
    return a_picture(a_pool("linux"), problem={"code": code, "message": message, "since": "2026-11-22T09:05:00Z"})


def one(vm, **why):
    return a_picture(a_pool("linux", vm, why={key: because(code) for key, code in why.items()}))


def failed(code, message, **given):
    return a_vm("linux-1", fault={"code": code, "message": message}, **given)


def starting(**given):
    return a_vm("linux-1", state="starting", booted=False, since=None, **given)


ON, OFF = because("already-running"), because("not-running")
STATES = {
    "empty": (a_picture(), ["There is no pool that you may use", "ask your administrator"]),
    "no VM yet": (a_picture(a_pool("linux")), ["3 of 5 free", "Start"]),
    "starting": (one(starting(), start="already-running", console="not-running"), ["Starting"]),
    "being prepared": (
        one(starting(), start="already-running", console="being-prepared"),
        ["Being prepared", "The previous session is being ended"],
    ),
    "booting": (one(a_vm("linux-1", booted=False), start="already-running"), ["Starting up"]),
    "waiting for login": (
        one(a_vm("linux-1"), start="already-running", console="waiting-for-login"),
        ["Logging you in…", "Then the console can be opened"],
    ),
    "login failed": (
        one(failed("login-failed", "PAM: account ann is locked."), start="already-running", console="login-failed"),
        ["Login failed", "PAM: account ann is locked.", "tried again every minute"],
    ),
    "running": (
        one(a_vm("linux-1", loggedInUser="ann", console="open"), start="already-running"),
        ["Running", "Logged in as ann", "Kept for you while the console is open"],
    ),
    "stopping": (
        one(a_vm("linux-1", state="stopping"), start="stopping", console="stopping", stop="stopping"),
        ["Shutting down"],
    ),
    "off": (
        one(a_vm("linux-1", state="stopped", booted=False), console="not-running", stop="not-running"),
        ["Off", "Off since"],
    ),
    "start failed": (
        one(failed("start-failed", "QEMU: no space left on device.", state="failed"), console="not-running"),
        ["Failed", "no space left", "Start it again"],
    ),
    "crashed": (
        one(failed("crashed", "The VM ended by signal 9.", state="failed"), console="not-running"),
        ["Failed", "signal 9", "not saved"],
    ),
    "not answering": (
        one(failed("boot-timeout", "No sign of the guest agent in 300 s.", booted=False), start="already-running"),
        ["On, but not answering", "300 s", "Open its console"],
    ),
    "no agent": (
        one(failed("boot-timeout", "No sign of the guest agent in 300 s.", booted=False), start="already-running", console="agent-missing"),
        ["On, but not answering", "300 s", "Nothing in it answers that could log you in"],
    ),
    "exhausted": (
        a_picture(a_pool("linux", free=0, why={"start": because("pool-exhausted")})),
        ["0 of 5 free", "All virtual machines of this pool are in use. Try again later."],
    ),
    "no VMs": (
        a_picture(a_pool("linux", free=0, total=0, why={"start": because("pool-empty")})),
        ["This pool has no virtual machines. Ask your administrator"],
    ),
    "misconfigured": (
        a_picture(
            a_pool("win11", free=0, why={"start": because("pool-misconfigured")}),
            a_pool("linux"),
            notices=[
                {"pool": "win11", "severity": "error", "message": 'The retention "P1DT" is no duration.'},
                {"pool": "linux", "severity": "warning", "message": 'VM-Operator cannot read the retention "P1W".'},
            ],
        ),
        ["Gives out nothing until it is mended", "P1DT", "VM-Operator alone", "Tell your administrator"],
    ),
    "taken back": (
        a_picture(
            a_pool("linux", free=2, why={"stop": because("nothing-assigned")}),
            notices=[
                {
                    "pool": "linux",
                    "severity": "lost",
                    "message": 'The VM "linux-1" was yours for a moment; another program that manages it has taken it back. '
                    "Press Start again.",
                },
            ],
        ),
        ["Your VM was taken back", "Press Start again"],
    ),
    "virtual machines": (
        a_picture(
            a_pool("linux", a_vm("linux-1"), why={"start": ON}),
            vms=[
                an_own_vm("build-7", state="stopped", why={"console": OFF, "stop": OFF, "reset": OFF}),
                an_own_vm("win11-3", connectionFile=True, console="inUse", used_by="bob", os="Windows 11", why={"start": ON}),
                an_own_vm("win11-4", os=None, why={"start": ON, "console": because("assigned-to-another")}),
            ],
        ),
        ["Individual virtual machines", "build-7", "In use by another", "bob uses it. Console asks", "given it back"],
    ),
    "long names": (
        a_picture(a_pool(LONG, a_vm(f"{LONG}-1")), a_pool(f"{LONG}2"), vms=[an_own_vm(f"{LONG}-2")]),
        [LONG],
    ),
    "loading": (
        a_picture(problem={"code": "loading", "message": "The pools are being read.", "since": "2026-11-22T09:05:00Z"}),
        ["Loading…"],
    ),
    "store in use": (
        a_problem("store-in-use", "The VMs in /home/ann/vmpool are served by process 4711 on desk (port 8888)."),
        ["In use by another server", "4711"],
    ),
    "backend gone": (
        a_problem("backend-unavailable", "The API server at https://10.0.0.1:6443 refuses connections."),
        ["cannot be reached", "tried again by itself"],
    ),
    "chronicle behind": (
        a_problem("chronicle-behind", "The store cannot be written to: no space left on device."),
        ["cannot be written down", "disk may be full"],
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def page(lab_alone):
    """One page for all states: that they follow one another live is half of what is seen."""
    with a_played_page(lab_alone) as page:
        yield page


@pytest.fixture
def server(page):
    page.server.asked.clear()
    return page.server


@pytest.fixture
def panel(page):
    return page.locator(PANEL)


def picture_of(panel, name):
    """What is seen of the panel, without the emptiness below."""
    box = panel.bounding_box()
    height = panel.locator(".jp-VmPool-Panel").evaluate(
        "panel => Math.max(...[...panel.children].map(child => child.getBoundingClientRect().bottom))"
    )
    clip = {**box, "height": min(box["height"], height - box["y"] + 12)}
    return panel.page.screenshot(path=RESULTS / f"{name}.png", clip=clip)


@pytest.mark.parametrize("theme", ["Light", "Dark"])
@pytest.mark.parametrize("width", [200, 300, 600])
def test_every_state_is_worded_fits_and_is_accessible(page, server, panel, theme, width):
    set_theme(page, theme)
    set_width(page, panel, width)
    for name, (picture, words) in STATES.items():
        server.show(picture)
        for word in words:
            expect(panel, name).to_contain_text(word)
        assert panel.evaluate(OVERFLOWING) == [], name
        assert axe.problems(page, PANEL) == [], name
        picture_of(panel, f"panel {name} {theme.lower()} {width}".replace(" ", "-"))


def test_the_last_picture_stays_while_the_server_is_gone_and_comes_alive_again(page, server, panel):
    server.show(STATES["running"][0])
    expect(panel).to_contain_text("Running")

    server.go()
    expect(panel).to_contain_text("No connection to the server. Reconnecting.")
    expect(panel.locator("[data-pool=linux]")).to_contain_text("linux-1")
    expect(panel.locator("[data-action=stop]")).to_have_attribute("aria-disabled", "true")
    assert axe.problems(page, PANEL) == []
    picture_of(panel, "panel-server-gone")

    server.picture = STATES["off"][0]
    server.come_back()
    expect(panel.locator("[data-pool=linux]")).to_have_attribute("data-state", "stopped")
    expect(panel).not_to_contain_text("Reconnecting")


def test_a_tile_comes_and_goes_with_its_pool_and_leads_to_the_console(page, server):
    tiles = page.locator(".jp-LauncherCard[data-category='VM Pools']")
    server.show(a_picture(a_pool("linux"), a_pool("win11")))
    expect(tiles).to_have_text(["linux", "win11"])
    server.show(a_picture(a_pool("win11")))
    expect(tiles).to_have_text(["win11"])

    why = {"start": ON, "console": OFF}
    on_the_way = a_pool("win11", a_vm("win11-1", state="starting"), why=why)
    server.answers["pools/win11/start"] = (202, on_the_way)
    tiles.click()
    expect(page.locator("[data-pool=win11]")).to_have_attribute("data-state", "starting")
    assert server.asked == ["pools/win11/start"]

    server.show(a_picture(a_pool("win11", a_vm("win11-1"), why={"start": ON})))

    expect(page.locator("[data-vm=win11-1]")).to_contain_text("Closed: It is off.")
    assert server.asked == ["pools/win11/start", "pools/win11/console"]
    page.evaluate("window.jupyterapp.commands.execute('application:close')")
    expect(tiles).to_be_visible()


def test_virt_viewer_gets_its_file_besides_and_its_user_is_told_what_to_do_with_it(page, server, panel):
    server.answers["pools/win11/console"] = (200, CONSOLE)
    server.show(a_picture(a_pool("win11", a_vm("win11-1", connectionFile=True), why={"start": ON})))

    with page.expect_download() as downloading:
        panel.locator("[data-action=file]").click()

    assert server.asked == ["pools/win11/console"]
    assert downloading.value.suggested_filename == "win11-1.vv"
    assert downloading.value.path().read_text() == CONSOLE["file"]["content"]
    assert downloading.value.url.startswith("blob:")
    expect(page.locator(".Toastify__toast")).to_contain_text("win11-1.vv: Open it with virt-viewer")
    expect(page.locator("[data-vm=win11-1]")).to_have_count(0)


def test_a_console_is_taken_over_only_after_a_question_that_names_who_has_it(page, server, panel):
    server.show(STATES["virtual machines"][0])

    panel.locator("[data-vm-card=win11-3] [data-action=console]").click()
    dialog = page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("Take the console of win11-3 over?")
    expect(dialog).to_contain_text("bob uses it.")
    page.keyboard.press("Enter")
    expect(dialog).not_to_be_attached()
    assert server.asked == []

    panel.locator("[data-vm-card=win11-3] [data-action=file]").click()
    dialog.get_by_role("button", name="Take over").click()
    expect(dialog).not_to_be_attached()
    expect(page.locator(".Toastify__toast", has_text="virt-viewer for win11-3: It is off.")).to_be_visible()
    assert server.asked == ["vms/win11-3/console"]


def test_the_palette_has_what_can_be_done_now(page, server):
    server.show(a_picture(a_pool("linux"), vms=[an_own_vm("build-7", why={"start": ON})]))
    page.keyboard.press("Control+Shift+KeyC")
    palette = page.locator("#modal-command-palette")
    palette.locator("input").fill("virtual machines")
    found = palette.locator(".lm-CommandPalette-item[data-command^='vmpool:']")

    labels = {label.strip() for label in found.locator(".lm-CommandPalette-itemLabel").all_text_contents()}

    assert labels == {"Virtual machines", "Start linux", "Console build-7", "Stop build-7", "Reset build-7"}
    page.keyboard.press("Escape")


def test_the_keyboard_reaches_every_action_and_sees_why_it_is_not_to_be_had(page, server, panel):
    set_theme(page, "Light")
    server.show(STATES["off"][0])
    expect(panel.locator("[data-state=stopped]")).to_be_visible()
    panel.locator("[data-action=start]").focus()
    reached = []
    for _ in range(5):
        reached.append(page.evaluate("document.activeElement.dataset.action"))
        page.keyboard.press("Tab")
    assert reached == ["start", "console", "stop", "reset", "release"]

    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    hint = panel.locator("[data-action=stop]").evaluate("button => getComputedStyle(button, '::after').content")
    assert "is off" in hint
    picture_of(panel, "panel-keyboard")


def test_a_console_tab_comes_back_with_the_page_and_takes_nothing_over(page, server, panel):
    server.show(a_picture(a_pool("linux", a_vm("linux-1"), why={"start": ON})))
    tab = page.locator("[data-vm=linux-1]")
    with page.expect_request_finished(lambda request: "vmpool-console:pools/linux" in (request.post_data or "")):
        panel.locator("[data-pool=linux] [data-action=console]").click()
    expect(tab).to_contain_text("Closed: It is off.")
    assert server.asked == ["pools/linux/console"]

    server.picture = a_picture(a_pool("linux", a_vm("linux-1", console="inUse"), why={"start": ON}))
    page.reload()

    expect(tab).to_contain_text("Somebody else is connected to the console. Open it from the panel")
    expect(page.locator(".jp-Dialog")).not_to_be_attached()
    assert server.asked == ["pools/linux/console"]
