"""In a real kernel of a real server: the client finds both by itself, shows how far it is, and can be interrupted."""

import os
import tempfile
import threading

import pytest

from tests.client.kernels.conftest import PORT, until

OPEN = "from vmpool_ext.client import *; client = Client(); print(client.me().user)"


def test_a_kernel_finds_its_server_and_acts_for_its_user(server):
    """Nothing is set, and another server runs beside it."""
    with server.kernel() as kernel:
        assert kernel.text(OPEN) == "ann"
        assert kernel.text("print(client.pool('looking').start(wait=False).name)") == "looking-1"

    assert server.ask("GET", "vmpool/api/v1/pools/looking")["vm"]["name"] == "looking-1"


@pytest.mark.parametrize(
    "options",
    [
        [*PORT, "--ServerApp.base_url=/user/ann%40example.org/", "--ServerApp.ip=0.0.0.0"],
        [*PORT, "--IdentityProvider.token="],
        [f"--ServerApp.sock={tempfile.gettempdir()}/vmp-{os.getpid()}.sock"],
    ],
    ids=["with a base address, on all interfaces", "without authentication", "on a Unix socket"],
)
def test_a_kernel_finds_a_server_however_it_listens(a_server, options):
    """By both faces."""
    with a_server(*options).kernel() as kernel:
        assert kernel.text(OPEN) == "ann"
        start = "print((await (await AsyncClient().pool('demo')).start(progress=lambda _: None)).state)"
        assert kernel.text(start) == "running"


def test_a_process_that_a_cell_starts_means_the_same_server(server):
    """A script that is called from the notebook."""
    with server.kernel() as kernel:
        script = "import subprocess, sys; print(subprocess.run([sys.executable, '-c', " + repr(OPEN)
        assert kernel.text(script + "], capture_output=True, text=True).stdout)") == "ann"


def test_a_start_is_drawn_below_its_cell_in_one_place(server):
    """By both faces, the blocking one in a running loop: that of the kernel."""
    with server.kernel() as kernel:
        kernel.text(OPEN)
        for code in ("vm = client.pool('course').start()", "vm = await (await AsyncClient().pool('demo')).start()"):
            ((kind, drawn),) = kernel.run(code)

            name = kernel.text("print(vm.name)")
            assert kind == "shown"
            assert f"assigned {name}" in drawn[0]["text/plain"]
            assert f"{name}: ready" in drawn[-1]["text/plain"]
            assert "<progress" in drawn[0]["text/html"]
            assert "<progress" not in drawn[-1]["text/html"]


def test_an_interrupted_cell_loses_nothing(server):
    """The square beside the cell: the VM stays assigned, and the cell says so."""
    with server.kernel() as kernel:
        kernel.text(OPEN)

        def interrupt():
            until(lambda: server.ask("GET", "vmpool/api/v1/pools/held")["vm"])
            kernel.interrupt()

        presser = threading.Thread(target=interrupt)
        presser.start()
        shown = kernel.run("client.pool('held').start()")
        presser.join()

        assert dict(shown)["error"].startswith("KeyboardInterrupt")
        told = str(shown)
        assert "stays yours" in told
        assert kernel.text("print(client.pool('held').vm.name)") == "held-1"


def test_what_goes_wrong_is_told_in_the_notebook_without_the_token(server):
    """Tracebacks are pasted into forums."""
    with server.kernel() as kernel:
        kernel.text(OPEN)

        shown = kernel.run("client.pool('void').start()")

    ((kind, told),) = shown
    assert kind == "error"
    assert told.startswith("PoolEmpty")
    assert server.info["token"] not in told
