"""Which image a VM's disk begins as, and which ones are refused."""

import json
import os
import re
import subprocess
import textwrap
from pathlib import Path

import pytest
import yaml

from tests.backends.qemu.definitions import a_pool_resource, a_vm_resource
from tests.backends.qemu.tiny_guests import a_counting_image, with_image
from vmpool_ext.backends.qemu import qemu_img
from vmpool_ext.backends.qemu.command_line import size_of
from vmpool_ext.backends.qemu.images import IMAGE_ANNOTATION, image_of, inspect
from vmpool_ext.backends.qemu.seed import seed_files
from vmpool_ext.backends.resources import pool_from_resource, vm_from_resource
from vmpool_ext.domain.errors import BackendUnavailable, InvalidDefinition

PAGE = Path(__file__).parents[3] / "docs" / "images-and-disks.md"


def qemu_img_makes(*arguments):
    subprocess.run(["qemu-img", "create", "-q", *map(str, arguments)], check=True)  # noqa: S603, S607  # a test's own


def test_a_vm_without_an_image_has_none():
    assert image_of(a_vm_resource(), [a_pool_resource()]) is None
    assert image_of({"metadata": {"name": "vm1"}}, [{"metadata": None}]) is None


def test_pools_with_the_same_image_agree():
    pools = [with_image(a_pool_resource(name), "/images/one.qcow2") for name in ("one", "two")]

    assert image_of(a_vm_resource(), pools) == Path("/images/one.qcow2")


@pytest.mark.parametrize(
    "image",
    [
        "base.qcow2",
        "",
        "-o",
        "nbd://host/disk",
        "json:{}",
        "file:/etc/shadow",
        "/a\nb",
        "/\0",
        "/" + "x" * 1023,
        7,
        ["/a"],
    ],
)
def test_what_is_no_absolute_path_is_refused(image):
    definition = a_vm_resource()
    definition["metadata"]["annotations"]["vmpool-ext.jupyter.org/image"] = image

    with pytest.raises(InvalidDefinition, match="absolute path"):
        image_of(definition, [])


@pytest.mark.parametrize("kind", ["raw", "qcow2"])
def test_the_format_of_an_image_is_found_out(tmp_path, kind):
    assert inspect(a_counting_image(tmp_path, kind)).format == kind


def test_other_formats_are_refused_with_what_to_do(tmp_path):
    with pytest.raises(InvalidDefinition, match=r"format vmdk.*qemu-img convert -O qcow2"):
        inspect(a_counting_image(tmp_path, "vmdk"))


def test_an_image_that_would_have_the_guest_read_another_file_is_refused(tmp_path):
    """Whoever made it would have chosen which one."""
    image = tmp_path / "image.qcow2"
    qemu_img_makes("-f", "qcow2", "-u", "-b", "/etc/shadow", "-F", "raw", image, "1M")

    with pytest.raises(InvalidDefinition, match=r"refers to another file \(/etc/shadow\)"):
        inspect(image)


def test_an_image_whose_data_are_in_another_file_is_refused(tmp_path):
    image, data = tmp_path / "image.qcow2", tmp_path / "data"
    qemu_img_makes("-f", "qcow2", "-o", f"data_file={data}", image, "1M")

    with pytest.raises(InvalidDefinition, match=f"refers to another file .{data}"):
        inspect(image)


def test_a_raw_image_that_pretends_to_be_another_is_refused(tmp_path):
    """As one that a guest has written to before it was made a base."""
    image = tmp_path / "image.qcow2"
    qemu_img_makes("-f", "qcow2", "-u", "-b", "/etc/shadow", "-F", "raw", image, "1M")
    raw = tmp_path / "base.raw"
    raw.write_bytes(image.read_bytes().ljust(2**20, b"\0"))

    with pytest.raises(InvalidDefinition, match="refers to another file"):
        inspect(raw)


@pytest.mark.parametrize(
    ("make", "words"), [(os.mkdir, "not a file"), (os.mkfifo, "not a file"), (str, "cannot be read: No such")]
)
def test_what_is_no_file_is_refused_at_once(tmp_path, make, words):
    make(tmp_path / "image")

    with pytest.raises(InvalidDefinition, match=words):
        inspect(tmp_path / "image")


def test_what_qemu_img_says_is_told(tmp_path):
    broken = tmp_path / "broken.qcow2"
    broken.write_bytes(b"QFI\xfb" + b"\xff" * 1000)

    with pytest.raises(BackendUnavailable, match=r"qemu-img: Could not open .*broken\.qcow2"):
        inspect(broken)


def test_a_qemu_img_that_hangs_is_ended(tmp_path, monkeypatch):
    """As where the disk with the image does not answer."""
    program = tmp_path / "qemu-img"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(qemu_img, "_WITHIN", 0.2)

    with pytest.raises(BackendUnavailable, match=r"did not end within 0\.2 seconds"):
        inspect(a_file(tmp_path))


def test_qemu_img_is_told_none_of_the_servers_secrets(tmp_path, monkeypatch):
    program = tmp_path / "qemu-img"
    program.write_text(f"#!/bin/sh\nenv > {tmp_path}/environment\necho '{json.dumps({'format': 'raw'})}'\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "a-secret-token")

    inspect(a_file(tmp_path))

    assert "a-secret-token" not in (tmp_path / "environment").read_text()


def a_file(folder):
    (folder / "file").touch()
    return folder / "file"


def test_the_example_in_the_documentation_is_what_it_says():
    [example] = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)

    pool, vm = yaml.safe_load_all(textwrap.dedent(example))

    assert image_of(vm, [pool]) == Path("/home/ann/vm-images/lab-1.qcow2")
    assert yaml.safe_load(seed_files(vm, "")["user-data"])["users"][0]["name"] == "lab"
    assert size_of(vm).mebibytes == 4096
    assert pool_from_resource(pool, 1).misconfigured is None
    assert vm_from_resource(vm, 1).pools == {pool_from_resource(pool, 1).name}


def test_the_annotation_in_the_documentation_is_the_one_that_is_read():
    assert f"{IMAGE_ANNOTATION}: " in PAGE.read_text()
