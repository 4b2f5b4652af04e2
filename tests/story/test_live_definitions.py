"""An administrator applies files while somebody has JupyterLab open: cards and tiles come, are used, and go."""

import os
import subprocess
import sys

import pytest
from playwright.sync_api import expect

from tests.story.conftest import RESULTS

pytestmark = pytest.mark.browser

FILE = """
apiVersion: vmoperator.jdrupes.org/v1
kind: VmPool
metadata:
  name: desktops
spec:
  retention: PT1h
  loginOnAssignment: true
  permissions:
    - user: demo
      may: [accessConsole, start, stop]
---
apiVersion: vmoperator.jdrupes.org/v1
kind: VirtualMachine
metadata:
  name: desktop-1
  annotations:
    vmpool-ext.jupyter.org/guest: demo
spec:
  pools: [desktops]
  vm: {maximumCpus: 1, maximumRam: 128Mi, powerdownTimeout: 30}
---
apiVersion: vmoperator.jdrupes.org/v1
kind: VirtualMachine
metadata:
  name: my-own
  annotations:
    vmpool-ext.jupyter.org/guest: demo
spec:
  permissions:
    - user: demo
      may: [accessConsole, start, stop]
  vm: {maximumCpus: 1, maximumRam: 128Mi, powerdownTimeout: 30}
"""


@pytest.fixture
def kubectl(lab):
    """What an administrator types in a terminal beside; with the same home."""

    def kubectl(*words):
        command = [sys.executable, "-m", "vmpool_ext.app", *words]
        environment = {**os.environ, "HOME": str(lab.home)}
        for name in ("XDG_RUNTIME_DIR", "XDG_DATA_HOME", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR"):
            environment.pop(name, None)
        done = subprocess.run(command, input=FILE, env=environment, check=True, capture_output=True, text=True)  # noqa: S603  # our own command
        return done.stdout

    return kubectl


def test_what_is_applied_appears_is_used_and_vanishes_without_a_reload(lab, page, kubectl):
    page.locator("[data-id=vmpool-panel]").click()
    expect(page.locator("[data-pool=demo]")).to_contain_text("3 of 3 free")
    tile = page.locator(".jp-LauncherCard", has_text="desktops")
    expect(tile).to_have_count(0)

    assert "vmpool/desktops created" in kubectl("apply", "-f", "-")

    card = page.locator("[data-pool=desktops]")
    expect(card).to_contain_text("1 of 1 free")
    expect(tile).to_have_count(1)

    own = page.locator("[data-vm-card=my-own]")
    own.locator("[data-action=start]").click()
    tile.click()

    # The tile starts, waits until the guest has logged the user in, and opens the console.
    console = page.locator("[data-vm=desktop-1]")
    expect(console).to_have_attribute("data-console-state", "connected")
    assert lab.ask("pools/desktops")["vm"]["loggedInUser"] == "demo"
    expect(own).to_have_attribute("data-state", "running")
    lab.until(lambda: lab.ask("vms")["vms"][0]["booted"])
    own.locator("[data-action=console]").click()
    expect(page.locator("[data-vm=my-own]")).to_have_attribute("data-console-state", "connected")
    page.screenshot(path=RESULTS / "login-pool-and-own-vm.png")

    kubectl("delete", "-f", "-", "--wait=false")

    expect(card).to_have_count(0)
    expect(tile).to_have_count(0)
    expect(own).to_have_count(0)
    lab.until(lambda: not lab.machines())
