"""The main job on Kubernetes: a real API server, VM-Operator played, a real machine with SPICE, a real browser."""

import secrets
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.cluster.fixtures import control_plane  # noqa: F401  # a cluster
from tests.spice_machine import PATIENCE
from tests.story.chromium import RESULTS
from tests.story.operator_with_machines import NAMESPACE, operating
from tests.story.spice_lab import SpiceLab, running, serving
from tests.story.test_story import type_into_guest
from vmpool_ext.backends.qemu.guest_image import build_image, default_cache

pytestmark = pytest.mark.browser

VM = "desk-1"


@pytest.fixture
def lab(control_plane):  # noqa: F811  # the fixture
    home = Path(tempfile.mkdtemp(prefix="vmp-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home)
        machine = stack.enter_context(running(home / VM, build_image(default_cache(), lambda _: None)))
        machine.wait_for_greeting()
        stack.enter_context(operating(control_plane, {VM: machine}))
        token = secrets.token_hex()
        options = {
            "VmPoolExtension.backend_class": "vmpool_ext.backends.kubernetes.backend.KubernetesBackend",
            "KubernetesBackend.kubeconfig": control_plane.kubeconfig(),
            "KubernetesBackend.namespace": NAMESPACE,
        }
        port = stack.enter_context(serving(home, token, options))
        yield SpiceLab(port, token, {VM: machine}, home / "log")


def test_a_vm_of_vm_operator_is_started_and_worked_in_and_given_back(browser, lab):
    expect.set_options(timeout=PATIENCE * 1000)
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.set_default_timeout(PATIENCE * 1000)
    page.goto(lab.address)
    page.locator("#jupyterlab-splash").wait_for(state="detached")
    page.locator("[data-id=vmpool-panel]").click()
    card = page.locator("[data-pool=desk]")

    card.locator("[data-action=start]").click()
    expect(card).to_have_attribute("data-state", "running")
    expect(card).to_contain_text(VM)
    card.locator("[data-action=console]").click()
    console = page.locator(f"[data-vm={VM}]")
    expect(console).to_have_attribute("data-console-state", "connected")
    console.locator("canvas").click()
    type_into_guest(page, "echo operator > /dev/ttyS0", held=30)
    machine = lab.machines[VM]
    machine.until(lambda: "operator\n" in machine.serial.replace("\r", ""))
    page.screenshot(path=RESULTS / "kubernetes-console.png")

    card.locator("[data-action=reset]").click()
    expect(page.locator(".jp-Dialog")).to_contain_text("shut down and started again")
    page.get_by_role("button", name="Cancel").click()
    card.locator("[data-action=release]").click()
    page.locator(".jp-Dialog .jp-mod-accept").click()

    expect(card).to_have_attribute("data-state", "none")
    machine.until(lambda: machine.channels() == [])
    assert "Traceback" not in lab.log
