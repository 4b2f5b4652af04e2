"""The disc that cloud-init sets a guest up with, read by others than who wrote it."""

import asyncio
import struct
import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.backends.contract import watching
from tests.backends.qemu.definitions import a_vm_resource
from tests.backends.qemu.machines import VM, started, stopped
from tests.backends.qemu.tiny_guests import a_counting_image, a_vm_with
from vmpool_ext.backends.qemu.seed import seed_files, write_seed
from vmpool_ext.domain.errors import InvalidDefinition

SECTOR = 2048
PRIMARY, JOLIET = 16, 17


def a_vm_set_up_by(cloud_init, generation=1, **vm):
    resource = a_vm_resource(VM, guest=None, **vm)
    resource["metadata"]["generation"] = generation
    resource["spec"]["cloudInit"] = cloud_init
    return resource


def joliet_files(disc):
    """Read the files of a disc as ECMA-119 says, by the names of its second directory tree."""
    return {record[33:].decode("utf-16-be").partition(";")[0]: content for record, content in _records(disc, JOLIET)}


def rock_ridge_files(disc):
    """The same, by the names that POSIX systems see: in entries NM behind those of ISO 9660."""
    found = {}
    for record, content in _records(disc, PRIMARY, whole=True):
        place = record.index(b"NM")
        found[record[place + 5 : place + record[place + 2]].decode()] = content
    return found


def _records(disc, descriptor, *, whole=False):
    start = descriptor * SECTOR
    assert disc[start + 1 : start + 6] == b"CD001"
    place, length = struct.unpack("<I4xI", disc[start + 158 : start + 170])
    records = disc[place * SECTOR : place * SECTOR + length]
    while records and records[0]:
        record, records = records[: records[0]], records[records[0] :]
        extent, size, name = *struct.unpack("<I4xI", record[2:14]), record[33 : 33 + record[32]]
        if name not in (b"\0", b"\1"):
            yield (record if whole else record[: 33 + record[32]]), disc[extent * SECTOR :][:size]


def written(tmp_path, cloud_init):
    path = tmp_path / "seed.iso"
    write_seed(path, seed_files(a_vm_set_up_by(cloud_init), "disk"))
    return path


CLOUD_INIT = {
    "userData": {"users": [{"name": "ann", "plain_text_passwd": "s3cret: #,'"}], "runcmd": ["echo 'ü' > /x"]},
    "networkConfig": {"version": 2, "ethernets": {"any": {"match": {"name": "e*"}, "dhcp4": True}}},
}


def test_the_files_are_found_by_either_kind_of_name(tmp_path):
    disc = written(tmp_path, CLOUD_INIT).read_bytes()

    files = joliet_files(disc)

    assert set(files) == {"meta-data", "user-data", "network-config"}
    assert rock_ridge_files(disc) == files
    assert yaml.safe_load(files["user-data"]) == CLOUD_INIT["userData"]
    assert yaml.safe_load(files["network-config"]) == CLOUD_INIT["networkConfig"]
    assert files["user-data"].startswith(b"#cloud-config\n")


def test_the_disc_is_found_by_its_label(tmp_path):
    path = written(tmp_path, CLOUD_INIT)

    # As cloud-init looks for it.
    probe = ["/sbin/blkid", "--probe", "--match-tag", "LABEL", "--output", "value", path]
    assert subprocess.check_output(probe, text=True) == "cidata\n"  # noqa: S603  # a test's own
    assert path.read_bytes()[PRIMARY * SECTOR + 40 :].startswith(b"cidata ")


def test_the_disc_is_for_its_owner_only(tmp_path):
    path = written(tmp_path / "disks", CLOUD_INIT)

    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_a_vm_that_says_nothing_of_cloud_init_has_no_disc():
    assert seed_files(a_vm_resource(), "") is None
    assert seed_files({"metadata": {"name": "vm1"}}, "") is None


def test_what_is_not_given_is_the_least_that_cloud_init_wants():
    files = seed_files(a_vm_set_up_by({}), "")

    assert set(files) == {"meta-data", "user-data"}
    assert files["user-data"].splitlines()[0] == "#cloud-config"
    assert not yaml.safe_load(files["user-data"])


def metadata(vm, disk):
    return yaml.safe_load(seed_files(vm, disk)["meta-data"])


def test_a_guest_is_called_as_its_vm_unless_it_is_given_another_name():
    assert metadata(a_vm_set_up_by({}), "")["local-hostname"] == VM
    named = a_vm_set_up_by({"metaData": {"local-hostname": "lab", "instance-id": "mine"}})
    assert metadata(named, "disk") == {"local-hostname": "lab", "instance-id": "mine"}


def test_a_fresh_disk_and_a_new_definition_are_set_up_anew():
    ids = [
        metadata(a_vm_set_up_by({}, generation), disk)["instance-id"]
        for generation, disk in [(1, "one"), (1, "two"), (2, "two"), (1, "one")]
    ]

    assert len(set(ids)) == 3
    assert ids[0] == ids[-1]


@pytest.mark.parametrize("part", ["metaData", "userData", "networkConfig"])
def test_a_part_that_is_no_object_is_refused_by_name(part):
    with pytest.raises(InvalidDefinition, match=rf"spec\.cloudInit\.{part} is an object"):
        seed_files(a_vm_set_up_by({part: "#!/bin/sh"}), "")
    with pytest.raises(InvalidDefinition, match=r"spec\.cloudInit is an object"):
        seed_files(a_vm_set_up_by([part]), "")


texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    texts | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(data=st.dictionaries(texts, values, max_size=3))
def test_whatever_a_definition_says_reaches_the_guest_as_it_is(data):
    files = seed_files(a_vm_set_up_by({"userData": data}), "")

    assert yaml.safe_load(files["user-data"].encode()) == data


async def test_a_machine_has_its_seed_as_a_disc(serving, home):
    definition = a_vm_with(a_counting_image(home))
    definition["spec"]["cloudInit"] = CLOUD_INIT
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(definition)
        await started(backend, seen)

        blocks = await backend._machine(VM).monitor.execute("query-block")
        [seed] = [block for block in blocks if block.get("inserted", {}).get("node-name") == "seed0"]
        assert seed["inserted"]["ro"]
        disc = await asyncio.to_thread(Path(seed["inserted"]["file"]).read_bytes)
        assert b"s3cret" in joliet_files(disc)["user-data"]
        await stopped(backend, seen)

        del definition["spec"]["cloudInit"]
        await backend.apply(definition)
        await started(backend, seen)

        assert not list((home / "state" / "disks").glob("*.iso"))
