"""The example notebook, run as its reader runs it: in a kernel of the demo, on real VMs."""

from pathlib import Path

import httpx
import nbformat
from jupyter_core.paths import jupyter_runtime_dir

from tests.client.kernels.conftest import PATIENCE, a_kernel, code_cells
from tests.story.conftest import lab  # noqa: F401  # a fixture: what `make run` opens

EXAMPLE = Path(__file__).parents[3] / "examples" / "virtual-machines.ipynb"


def test_no_output_is_stored_in_the_example():
    """What somebody once saw is not what the reader will see."""
    cells = [cell for cell in nbformat.read(EXAMPLE, as_version=4).cells if cell.cell_type == "code"]

    assert cells
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)


def test_the_example_shows_what_it_says(lab):  # noqa: F811
    """From the list of pools to the VM that is given back; no cell fails."""

    def ask(method, path, body=None):
        headers = {"Authorization": f"token {lab.token}"}
        response = httpx.request(method, lab.base + path, json=body, headers=headers, trust_env=False, timeout=PATIENCE)
        return response.raise_for_status().json() if response.content else None

    with a_kernel(ask, Path(jupyter_runtime_dir())) as kernel:
        shown = [kernel.run(code) for code in code_cells(EXAMPLE)]

    assert "error" not in [kind for cell in shown for kind, _ in cell], shown
    pools, pool, start, state, by_code, file, stop, release, loop = [str(cell) for cell in shown]
    assert "<td>demo</td><td>3 of 3</td>" in pools
    assert "3 of 3" in pool
    assert "demo-1: ready" in start
    assert "demo-1 is running" in state
    assert "pool-not-found" in by_code
    assert "no-connection-file" in file
    assert "demo-1: off" in stop
    assert "3 of 3" in release
    assert "demo may use demo" in loop
    assert lab.ask("pools/demo")["vm"] is None
