"""Fetch packages of this machine's Debian and unpack them: as anybody, into folders of one's own, installing nothing."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from vmpool_ext.backends.qemu.guest_image.errors import GuestBuildError

if TYPE_CHECKING:
    from pathlib import Path

_PATIENCE = 900
"""Seconds that one command may take; apt itself gives up on a silent server sooner."""

_ELSEWHERE = "Build the demo guest on Debian, or copy the folder with it from a machine that has built it."


class PackageSource:
    """What this machine's apt would install, with lists and downloads kept in a private folder."""

    def __init__(self, folder: Path) -> None:
        self._downloads = folder / "cache" / "archives"
        for needed in (folder / "state" / "lists" / "partial", self._downloads / "partial"):
            needed.mkdir(parents=True)
        (folder / "status").touch()
        self._options = [f"--option={name}={value}" for name, value in _settings(folder).items()]

        self._complaint = ""

    def update(self) -> None:
        """Fetch the lists of packages; sources that do not answer matter only when a package is not found."""
        self._complaint = _complaint(self._apt("apt-get", "update"))

    def dependency(self, package: str, kind: str = "Depends") -> str:
        """Name the first package that a package depends on: for a package that stands for the newest kernel, the kernel."""
        depends = _values(kind, self._ask("depends", package))
        if not depends:
            raise GuestBuildError(self._why_not_found(package))
        return depends[0]

    def megabytes(self, package: str) -> int:
        """Tell how much there is to download."""
        sizes = _values("Size", self._ask("show", "--no-all-versions", package))
        if not sizes:
            raise GuestBuildError(self._why_not_found(package))
        return round(int(sizes[0]) / 1e6)

    def unpack(self, package: str, into: Path) -> None:
        """Download a package and unpack it; apt has checked that it is Debian's."""
        fetched = self._apt("apt-get", "download", package)
        files = list(self._downloads.glob(f"{package}_*.deb"))
        if fetched.returncode or not files:
            message = f"{package} could not be downloaded: {_complaint(fetched)} Check the network and build again."
            raise GuestBuildError(message)
        unpacked = _run(["dpkg-deb", "--extract", str(files[0]), str(into)], into.parent)
        if unpacked.returncode:
            message = f"{package} could not be unpacked: {_complaint(unpacked)} Make room on the disk and build again."
            raise GuestBuildError(message)

    def _ask(self, *arguments: str) -> str:
        return self._apt("apt-cache", *arguments).stdout

    def _apt(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return _run([program, *self._options, *arguments], self._downloads)

    def _why_not_found(self, package: str) -> str:
        if self._complaint:
            return f"There are no lists of packages: {self._complaint} Check the network and /etc/apt, and build again."
        return f"This machine's package sources have no {package}. {_ELSEWHERE}"


def _settings(folder: Path) -> dict[str, str]:
    return {
        "Dir::State": str(folder / "state"),
        "Dir::State::status": str(folder / "status"),
        "Dir::Cache": str(folder / "cache"),
        "Debug::NoLocking": "1",
        # Root's apt becomes another user for downloads, who may not write to the private folder.
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        # Only names of packages are wanted; what shops for software show would be a third of the download.
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
        "Acquire::http::Timeout": "20",
        "Acquire::https::Timeout": "20",
        "Acquire::Retries": "2",
    }


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, and keep all that it says, in English, for the one who asks."""
    environment = os.environ | {"LC_ALL": "C"}
    try:
        return subprocess.run(  # noqa: S603  # our own words and the names that apt gave
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
    except FileNotFoundError:
        message = f"This machine has no {command[0]}. {_ELSEWHERE}"
    except subprocess.TimeoutExpired:
        message = f"{command[0]} was given up after {_PATIENCE} seconds. Check the network and build again."
    raise GuestBuildError(message)


def _complaint(done: subprocess.CompletedProcess[str]) -> str:
    """Give the first error that a command told of, or else its first warning, as a sentence; empty if there is none."""
    lines = done.stderr.splitlines()
    errors = [line for line in lines if line.startswith(("E:", "dpkg-deb: error"))]
    warnings = [line for line in lines if line.startswith("W:")]
    return next((line.removeprefix("E:").removeprefix("W:").strip(" .") + "." for line in errors + warnings), "")


def _values(field: str, output: str) -> list[str]:
    """Give what stands behind a field's name, once for each line that has it."""
    pairs = (line.strip().partition(": ") for line in output.splitlines())
    return [value for name, _, value in pairs if name == field]
