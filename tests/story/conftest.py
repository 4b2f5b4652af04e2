"""What `make run` opens, in a home of its own, and a real browser in front of it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.story.chromium import RESULTS, a_browser
from tests.story.played_lab import a_lab_alone
from vmpool_ext.backends.qemu.guest_image import build_image, default_cache
from vmpool_ext.backends.qemu.places import default_run_dir

URL = re.compile(r"(http://127\.0\.0\.1:\d+/)lab\?token=([0-9a-f]+)")
PATIENCE = 120
"""Seconds; a guest without hardware acceleration on a busy machine takes its time."""


class Lab:
    """A server as `jupyter vmpool demo` starts it."""

    def __init__(self, home):
        self.home = home
        self._log = home / "log"
        cache = default_cache()
        build_image(cache, lambda _: None)
        environment = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(cache.parents[1])}
        for name in ("XDG_RUNTIME_DIR", "XDG_DATA_HOME", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR"):
            environment.pop(name, None)
        with self._log.open("w") as log:
            self._process = subprocess.Popen(  # noqa: S603  # our own command
                [sys.executable, "-m", "vmpool_ext.app", "demo", "--", "--no-browser", "--ServerApp.port=0",
                 "--ServerApp.ip=127.0.0.1", f"--ServerApp.root_dir={home}"],
                env=environment, cwd=home, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        found = self.until(lambda: URL.search(self.log) or self._process.poll() is not None)
        assert found is not True, self.log
        self.base, self.token = found.groups()
        # The address is printed a moment before the server listens to it.
        self.until(self._answers)

    def _answers(self):
        with suppress(OSError):
            return self.ask("health")

    def ask(self, path, method="GET"):
        """Ask the API, as a notebook does."""
        request = urllib.request.Request(  # noqa: S310  # our own server
            f"{self.base}vmpool/api/v1/{path}",
            method=method,
            data=b"" if method == "POST" else None,
            headers={"Authorization": f"token {self.token}"},
        )
        with urllib.request.urlopen(request) as response:  # noqa: S310
            return json.load(response)

    @property
    def log(self):
        return self._log.read_text()

    def until(self, holds):
        """Look again and again: what happens in other processes tells nobody here."""
        end = time.monotonic() + PATIENCE
        while not (found := holds()):
            assert time.monotonic() < end, self.log
            time.sleep(0.05)
        return found

    def machines(self):
        """The QEMU processes of this server, by VM."""
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it may have ended meanwhile
                command = (process / "cmdline").read_text()
                if "qemu-system" in command and str(self.sockets()) in command:
                    found[re.search(r"guest=([^,\0]+)", command)[1]] = int(process.name)
        return found

    def sockets(self):
        """Where the sockets of its VMs are."""
        return default_run_dir(self.home / ".local/share/jupyter/vmpool")

    def serial(self):
        """All that the guests have written to their serial lines."""
        logs = [*self.home.rglob("serial.log"), *Path(self.sockets()).rglob("serial.log")]
        return "\n".join(log.read_text(errors="replace") for log in logs)

    def interrupt(self):
        """Press Ctrl-C."""
        os.killpg(self._process.pid, signal.SIGINT)
        self._process.wait(PATIENCE)


@pytest.fixture
def lab():
    home = Path(tempfile.mkdtemp(prefix="vmp-"))
    lab = Lab(home)
    yield lab
    if lab._process.poll() is None:
        lab.interrupt()
    shutil.rmtree(home)


@pytest.fixture(scope="module")
def lab_alone(tmp_path_factory):
    """The address of a JupyterLab for played servers; it keeps settings and layout, so each file has its own."""
    with a_lab_alone(tmp_path_factory.mktemp("home")) as address:
        yield address


@pytest.fixture
def browser():
    with a_browser() as browser:
        yield browser


@pytest.fixture
def page(browser, lab):
    """JupyterLab in a browser; whatever the page complains of fails the test."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(PATIENCE * 1000)
    expect.set_options(timeout=PATIENCE * 1000)
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{lab.base}lab?token={lab.token}")
    page.locator("#jupyterlab-splash").wait_for(state="detached")
    # JupyterLab's own question about news.
    page.get_by_role("button", name="No", exact=True).click()
    yield page
    page.screenshot(path=RESULTS / "last.png")
    assert complaints == []
