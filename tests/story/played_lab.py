"""A real JupyterLab in a real browser with nobody behind our panel but what is played."""

import os
import re
import secrets
import subprocess
import sys
import urllib.request
from contextlib import contextmanager, suppress
from time import monotonic, sleep

from playwright.sync_api import expect

from tests.story.chromium import a_browser
from tests.story.played_display import PlayedDisplay
from tests.story.played_server import PlayedServer

LAB = "http://127.0.0.1:{port}/lab?token={token}"
PATIENCE = 30


@contextmanager
def a_lab_alone(home):
    """The address of a JupyterLab with our panel and nobody behind it."""
    token = secrets.token_hex()
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("JUPYTER_", "XDG_"))}
    with (home / "log").open("w") as log:
        process = subprocess.Popen(  # noqa: S603  # our own command
            [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", "--ServerApp.port=0",
             f"--ServerApp.root_dir={home}", "--LabApp.expose_app_in_browser=True",
             "--ServerApp.jpserver_extensions={'vmpool_ext': False}"],
            env={**environment, "HOME": str(home), "JUPYTER_TOKEN": token, "JUPYTER_PLATFORM_DIRS": "0"},
            cwd=home, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        yield LAB.format(port=port_of(home / "log"), token=token)
    finally:
        process.terminate()
        process.wait(PATIENCE)


def port_of(log):
    """The port, once somebody answers there."""
    end = monotonic() + PATIENCE
    while monotonic() < end:
        if found := re.search(r"http://127\.0\.0\.1:(\d+)/lab", log.read_text()):
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{found[1]}/api"):
                return found[1]
        sleep(0.05)
    raise AssertionError(log.read_text())


@contextmanager
def a_played_page(address):
    """A page with its panel open, and `page.server` and `page.display`; whatever the page complains of is an error."""
    with a_browser() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 1000}, reduced_motion="reduce", locale="en-GB")
        page.set_default_timeout(PATIENCE * 1000)
        complaints = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.server, page.display = PlayedServer(page), PlayedDisplay(page)
        page.goto(address)
        page.locator("#jupyterlab-splash").wait_for(state="detached")
        page.get_by_role("button", name="No", exact=True).click()
        # JupyterLab's own least width is 250 px.
        page.add_style_tag(content="body { --jp-sidebar-min-width: 200px !important; }")
        page.locator("[data-id=vmpool-panel]").click()
        yield page
        assert complaints == []


def set_width(page, panel, width):
    """Pull the border of the side bar."""
    box = panel.bounding_box()
    edge, middle = box["x"] + box["width"], box["y"] + 300
    page.mouse.move(edge + 1, middle)
    page.mouse.down()
    page.mouse.move(edge + 1 + width - box["width"], middle)
    page.mouse.up()
    page.wait_for_function(
        "width => Math.abs(document.getElementById('vmpool-panel').offsetWidth - width) < 2", arg=width
    )


def set_theme(page, name):
    """Change JupyterLab's theme, and wait until it is seen."""
    page.evaluate(
        "theme => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", f"JupyterLab {name}"
    )
    expect(page.locator(f"body[data-jp-theme-name='JupyterLab {name}']")).to_be_attached()
    # JupyterLab covers itself meanwhile.
    expect(page.locator("#jupyterlab-splash")).not_to_be_attached()
