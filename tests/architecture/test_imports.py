"""What may import what: the contracts of pyproject.toml, and what a linter cannot see."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)  # noqa: S603  # our own


def test_the_contracts_of_the_layers_are_kept():
    checked = run(Path(sys.executable).with_name("lint-imports"))

    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("heavy", ["kubernetes", "jupyterhub", "qemu", "jupyterlab", "vmpool_ext.backends.qemu"])
def test_the_extension_alone_loads_nothing_that_only_a_backend_needs(heavy):
    """A server that only forwards has none of it."""
    code = f"import sys, vmpool_ext.server_extension; sys.exit({heavy!r} in sys.modules)"

    assert run(sys.executable, "-c", code).returncode == 0


def test_the_domain_needs_no_server():
    code = """
import pkgutil, sys, vmpool_ext.domain as domain
for module in pkgutil.iter_modules(domain.__path__, "vmpool_ext.domain."):
    __import__(module.name)
sys.exit(any(name in sys.modules for name in ("asyncio", "tornado", "jupyter_server", "traitlets")))
"""
    assert run(sys.executable, "-c", code).returncode == 0
