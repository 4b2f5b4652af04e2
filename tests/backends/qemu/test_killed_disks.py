"""A server that is killed while it makes or discards a disk leaves a whole one, or none."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.backends.qemu.tiny_guests import a_counting_image
from vmpool_ext.backends.qemu.disks import Disks

VM = "vm-1"
_ROOT = Path(__file__).parents[3]


def killed_at(step, folder, act):
    """Do it in a process that dies at this step; whether it got so far."""
    command = [sys.executable, "-m", "tests.backends.qemu.test_killed_disks", str(step), str(folder), act]
    end = subprocess.run(command, cwd=_ROOT, check=False).returncode  # noqa: S603  # a test's own
    assert end in (0, -signal.SIGKILL)
    return end != 0


def is_sound(disk):
    checked = subprocess.run(["qemu-img", "check", "-q", disk.overlay], check=False)  # noqa: S603, S607  # a test's own
    return checked.returncode == 0


@pytest.mark.parametrize("act", ["prepare", "discard", "remove"])
def test_a_disk_is_there_whole_or_not_at_all(tmp_path, act):
    image = a_counting_image(tmp_path)
    disks, step = Disks(tmp_path / "disks"), 0
    while True:
        disks.remove(VM)
        before = None if act == "prepare" else disks.prepare(VM, image)

        goes_on = killed_at(step, tmp_path, act)

        known = disks.has_overlay(VM)
        after = disks.prepare(VM, image)
        assert is_sound(after)
        # What was there before is the same or gone: never the old disk under a new name, nor the other way round.
        assert before is None or (after == before) == known
        assert sorted(path.suffix for path in (tmp_path / "disks").iterdir()) == [".json", ".qcow2"]
        if not goes_on:
            break
        step += 1
    assert step >= {"prepare": 5, "discard": 2, "remove": 2}[act]
    assert known == (act == "prepare")


# What follows is done in the process.


def _die_at(step, folder):
    """At a step: whatever the process does to files there, and each program that it begins."""
    left = step

    def look(event, arguments):
        nonlocal left
        is_step = event == "subprocess.Popen" or (event in _STEPS and folder in str(arguments[0]))
        if is_step and not left:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= is_step

    sys.addaudithook(look)


_STEPS = {"open", "os.mkdir", "os.rename", "os.remove"}

if __name__ == "__main__":
    _step, _folder, _act = sys.argv[1:]
    _die_at(int(_step), f"{_folder}/disks")
    _disks = Disks(Path(_folder, "disks"))
    if _act == "prepare":
        _disks.prepare(VM, Path(_folder, "base.raw"))
    else:
        getattr(_disks, _act)(VM)
