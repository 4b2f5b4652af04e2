import gzip
import lzma
import struct

import pytest

from vmpool_ext.backends.qemu.guest_image import GuestBuildError, modules


def a_module(depends="", **facts):
    """An object file with nothing in it but what a kernel module says of itself."""
    said = {"license": "GPL", **facts, "depends": depends}
    modinfo = b"".join(f"{key}={value}\0".encode() for key, value in said.items())
    names = b"\0.modinfo\0.shstrtab\0"
    table = 64 + len(modinfo) + len(names)
    header = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    header += struct.pack("<HHIQQQIHHHHHH", 1, 62, 1, 0, 0, table, 0, 64, 0, 0, 64, 3, 2)
    sections = [(0, 0, 0), (1, 64, len(modinfo)), (10, 64 + len(modinfo), len(names))]
    rows = [struct.pack("<IIQQQQIIQQ", name, 1, 0, 0, offset, size, 0, 0, 1, 0) for name, offset, size in sections]
    return b"".join([header, modinfo, names, *rows])


@pytest.fixture
def kernel(tmp_path):
    """Gives a function that lays modules into an unpacked kernel."""
    folder = tmp_path / "lib" / "modules" / "6.1.0" / "kernel" / "drivers"
    folder.mkdir(parents=True)

    def holds(built_in="", **files):
        (tmp_path / "lib/modules/6.1.0/modules.builtin").write_text(built_in)
        for name, content in files.items():
            (folder / f"{name.replace('__', '.')}").write_bytes(content)
        return tmp_path

    return holds


def test_a_module_comes_after_what_it_needs(kernel):
    tree = kernel(
        virtio_pci__ko=a_module("virtio,virtio_pci_modern_dev"),
        virtio_pci_modern_dev__ko=a_module(),
        virtio__ko=a_module("virtio_ring"),
        virtio_ring__ko=a_module(),
        unwanted__ko=a_module(),
    )

    order = list(modules.in_load_order(["virtio_pci"], tree))

    assert order == ["virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci"]


def test_what_several_modules_need_is_loaded_once(kernel):
    tree = kernel(a__ko=a_module("base"), b__ko=a_module("base,a"), base__ko=a_module())

    assert list(modules.in_load_order(["a", "b", "a"], tree)) == ["base", "a", "b"]


def test_modules_are_loaded_in_the_order_in_which_they_were_wanted(kernel):
    tree = kernel(a__ko=a_module(), b__ko=a_module())

    assert list(modules.in_load_order(["b", "a"], tree)) == ["b", "a"]


@pytest.mark.parametrize("wanted", ["virtio-rng", "virtio_rng"])
def test_a_dash_and_an_underscore_are_the_same(kernel, wanted):
    """The files have dashes where the modules' own names cannot."""
    tree = kernel(**{"virtio-rng__ko": a_module("hw-random"), "hw_random__ko": a_module()})

    assert list(modules.in_load_order([wanted], tree)) == ["hw_random", "virtio_rng"]


def test_what_is_built_in_needs_no_loading(kernel):
    tree = kernel("kernel/drivers/acpi/button.ko\nkernel/fs/ext4/ext4.ko\n", a__ko=a_module("ext4"))

    assert list(modules.in_load_order(["button", "a"], tree)) == ["a"]


def test_a_module_that_is_nowhere_is_named(kernel):
    with pytest.raises(GuestBuildError, match='no module "missing"'):
        modules.in_load_order(["a"], kernel(a__ko=a_module("missing")))


@pytest.mark.parametrize(("kind", "compress"), [("xz", lzma.compress), ("gz", gzip.compress)])
def test_compressed_modules_are_unpacked(kernel, kind, compress):
    """Debian 13 and later; the guest's insmod takes them plain only."""
    module = a_module()

    assert modules.in_load_order(["a"], kernel(**{f"a__ko__{kind}": compress(module)})) == {"a": module}


def test_an_unknown_compression_is_refused(kernel):
    with pytest.raises(GuestBuildError, match=r"a\.ko\.zst is compressed"):
        modules.in_load_order(["a"], kernel(a__ko__zst=b"?"))


def test_dependencies_are_found_among_what_else_a_module_says():
    module = a_module("one,two-and-a-half", alias="depends=three", description="depends")

    assert modules.dependencies(module) == ["one", "two_and_a_half"]


@pytest.mark.parametrize("module", [b"", b"<html>", b"\x7fELF\x01\x01" + bytes(100)])
def test_what_is_no_module_is_refused(module):
    with pytest.raises(GuestBuildError, match="not an object file"):
        modules.dependencies(module)
