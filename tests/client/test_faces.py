"""The two faces are one: the same methods with the same arguments, typed for editors, and light to load."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from vmpool_ext import client
from vmpool_ext.client import AsyncClient, AsyncPool, AsyncPoolVm, AsyncVm, Client, Pool, PoolVm, Vm

ROOT = Path(__file__).parents[2]
PAIRS = [(Client, AsyncClient), (Pool, AsyncPool), (Vm, AsyncVm), (PoolVm, AsyncPoolVm)]
TYPED = """
from typing import assert_type
from vmpool_ext.client import AsyncClient, AsyncPool, AsyncPoolVm, AsyncVm, Client, Listing, Pool, PoolVm, Vm

def blocking(client: Client) -> None:
    assert_type(client.pools(), Listing[Pool])
    assert_type(client.pools()["demo"], Pool)
    assert_type(client.pools().demo.start(), PoolVm)
    assert_type(client.pool("demo").vm, PoolVm | None)
    assert_type(client.vms()["own"].stop(), Vm)
    assert_type(client.pool("demo").start().stop(), PoolVm)
    state: str = client.pool("demo").start().state

async def awaiting(client: AsyncClient) -> None:
    assert_type(await client.pools(), Listing[AsyncPool])
    assert_type((await client.pools())["demo"], AsyncPool)
    assert_type(await (await client.pool("demo")).start(), AsyncPoolVm)
    assert_type(await (await client.vms())["own"].stop(), AsyncVm)
"""


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)  # noqa: S603  # our own


def public(kind):
    return {name: each for name, each in inspect.getmembers(kind) if not name.startswith("_")}


@pytest.mark.parametrize(("blocking", "awaiting"), PAIRS)
def test_both_faces_have_the_same_methods_with_the_same_arguments(blocking, awaiting):
    """Who knows one knows the other."""
    ones, others = public(blocking), public(awaiting)

    assert set(ones) == set(others)
    for name, one in ones.items():
        if inspect.isfunction(one):
            assert list(inspect.signature(one).parameters) == list(inspect.signature(others[name]).parameters)
            assert others[name].__doc__ == one.__doc__.replace("`Pool.", "`AsyncPool.")


def test_both_faces_have_types(tmp_path):
    """Editors complete by them, and those who check strictly have nothing to add."""
    (tmp_path / "typed.py").write_text(TYPED)

    checked = run(sys.executable, "-m", "mypy", "--strict", "--config-file=", str(tmp_path / "typed.py"))

    assert checked.returncode == 0, checked.stdout


def test_the_types_are_announced():
    """Without the marker nobody would look at them."""
    assert (Path(client.__file__).parents[1] / "py.typed").exists()


@pytest.mark.parametrize("heavy", ["jupyter_server", "tornado", "traitlets", "IPython", "vmpool_ext.domain"])
def test_to_load_the_client_loads_nothing_of_a_server(heavy):
    """A kernel would wait seconds for it."""
    code = f"import sys, vmpool_ext.client; sys.exit({heavy!r} in sys.modules)"

    assert run(sys.executable, "-c", code).returncode == 0


def test_every_error_of_the_client_can_be_imported_from_it():
    """One place to look."""
    kinds = [client.VmPoolError]
    for kind in kinds:
        kinds += kind.__subclasses__()

    assert {kind.__name__ for kind in kinds} <= set(client.__all__)
