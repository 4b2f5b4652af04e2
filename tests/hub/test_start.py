"""A service starts only with all that it needs to ask who somebody is."""

import subprocess
import sys

import pytest
from traitlets import TraitError

from vmpool_ext.hub_service.service import VmPoolService

TOLD = {
    "JUPYTERHUB_SERVICE_NAME": "vmpool",
    "JUPYTERHUB_SERVICE_PREFIX": "/services/vmpool/",
    "JUPYTERHUB_SERVICE_URL": "http://127.0.0.1:9",
    "JUPYTERHUB_API_URL": "http://127.0.0.1:9/hub/api",
}


@pytest.mark.parametrize("command", [["vmpool_ext.hub_service"], ["vmpool_ext.app", "service"]], ids=" ".join)
@pytest.mark.parametrize("name", TOLD)
def test_without_one_of_them_it_names_it_and_ends(command, name):
    ended = subprocess.run(  # noqa: S603  # our own command
        [sys.executable, "-m", *command],
        env={**TOLD, name: ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 1
    assert f"error: {name} is not set" in ended.stderr


def test_no_identity_is_believed_for_ever():
    """The library that keeps it would take 0 for that."""
    with pytest.raises(TraitError):
        VmPoolService(identity_age=0)
