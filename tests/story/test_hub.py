"""A class on a JupyterHub: two users of different groups and an administrator, each in a browser of their own, on real VMs."""

import shutil
import tempfile
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.story.chromium import RESULTS
from tests.story.example_hub import PATIENCE, ExampleHub
from tests.story.test_story import confirm

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def hub():
    home = Path(tempfile.mkdtemp(prefix="vmh-"))
    hub = ExampleHub(home)
    yield hub
    hub.end()
    shutil.rmtree(home)


@pytest.fixture
def comes(hub, browser):
    """Have somebody log in and come to a server, their own if it is not said whose; give its page with the panel open."""

    def come(user, server=""):
        page = browser.new_context(viewport={"width": 1100, "height": 760}).new_page()
        page.set_default_timeout(PATIENCE * 1000)
        expect.set_options(timeout=PATIENCE * 1000)
        # JupyterLab's own question about news, if it has one.
        page.add_locator_handler(page.get_by_role("button", name="No", exact=True), lambda no: no.click())
        page.goto(f"{hub.url}/hub/login?next=" + (f"/user/{server}/lab" if server else "/hub/spawn"))
        page.locator("#username_input").fill(user)
        page.locator("#password_input").fill("vmpool")
        page.locator("#login_submit").click()
        if server:
            page.get_by_role("button", name="Authorize").click()
        page.locator("#jupyterlab-splash").wait_for(state="attached")
        page.locator("#jupyterlab-splash").wait_for(state="detached")
        page.locator("[data-id=vmpool-panel]").click()
        return page

    return come


def pools(page):
    return page.locator("[data-pool]")


def test_each_has_what_their_groups_have_and_what_one_gives_back_the_next_gets(hub, comes):
    ann, bob = comes("ann"), comes("bob")
    expect(pools(ann)).to_have_count(2)
    expect(pools(bob)).to_have_count(1)
    anns, bobs = ann.locator("[data-pool=course]"), bob.locator("[data-pool=course]")

    ann.locator("[data-pool=lab] [data-action=start]").click()
    anns.locator("[data-action=start]").click()
    expect(anns).to_have_attribute("data-state", "running")
    expect(bobs).to_contain_text("0 of 1 free")
    expect(bobs.locator("[data-action=start]")).to_have_attribute("aria-disabled", "true")
    ann.screenshot(path=RESULTS / "hub.png")
    bob.screenshot(path=RESULTS / "hub-exhausted.png")

    anns.locator("[data-action=release]").click()
    confirm(ann, "Give back")
    expect(bobs).to_contain_text("1 of 1 free")
    bobs.locator("[data-action=start]").click()
    expect(bobs).to_contain_text("course-1")
    expect(bobs).to_have_attribute("data-state", "running")

    hub.change_group("DELETE", "course", "bob")
    expect(pools(bob)).to_have_count(0)
    hub.change_group("POST", "course", "bob")
    expect(bobs).to_contain_text("course-1")


def test_a_visitor_is_told_whose_server_it_is(comes):
    comes("ann")
    visitor = comes("admin", "ann")

    expect(visitor.locator("[data-code=not-your-server]")).to_contain_text('This Jupyter server is that of "ann"')
    expect(pools(visitor)).to_have_count(0)
    visitor.screenshot(path=RESULTS / "hub-visitor.png")


def test_a_service_that_was_killed_is_missed_and_comes_back_with_everybodys_vms(hub, comes):
    ann = comes("ann")
    card = ann.locator("[data-pool=lab]")
    expect(card).to_have_attribute("data-state", "running")

    hub.kill_service()
    expect(ann.locator("[data-code=service-unavailable]")).to_be_visible()
    expect(card).to_contain_text("lab-1")
    ann.screenshot(path=RESULTS / "hub-service-away.png")

    expect(ann.locator("[data-code=service-unavailable]")).to_have_count(0)
    expect(card).to_have_attribute("data-state", "running")
