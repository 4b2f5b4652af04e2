"""What a server leaves behind for those who look for it, and nothing of what surrounds the tests."""

import json
import os
from pathlib import Path

import pytest
from jupyter_core.paths import jupyter_runtime_dir

FOUND_BY = ("VMPOOL_", "JUPYTERHUB_", "JPY_", "JUPYTER_SERVER_", "SSL_CERT_")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    """Look into an empty runtime folder, in an environment that names nothing."""
    for name in [name for name in os.environ if name.startswith(FOUND_BY)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))


@pytest.fixture
def a_runtime_file():
    """Write what a running server says of itself; its process is this one unless another is named."""

    def write(pid=None, **given):
        pid = pid or os.getpid()
        info = {
            "url": "http://localhost:8888/", "hostname": "localhost", "port": 8888, "sock": "", "secure": False,
            "base_url": "/", "token": "filed", "root_dir": "/", "password": False, "pid": pid, "version": "2", **given,
        }  # fmt: skip
        runtime = Path(jupyter_runtime_dir())
        runtime.mkdir(exist_ok=True)
        (runtime / f"jpserver-{pid}.json").write_text(json.dumps(info))

    return write
