import stat
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vmpool_ext.backends.qemu.guest_image import build_image, cpio, default_cache

_NAMES = st.text(alphabet="abc-._", min_size=1, max_size=5).filter(lambda name: name not in {".", ".."})
_PATHS = st.lists(_NAMES, min_size=1, max_size=4).map("/".join)


@pytest.fixture(scope="session")
def busybox(tmp_path_factory):
    """Another program that reads archives; the demo guest has it, found here by the format's documentation."""
    archive = build_image(default_cache(), print).initrd.read_bytes()
    header = archive.index(b"bin/busybox\0") - 110
    size = int(archive[header + 54 : header + 62], 16)
    content = header + 110 + len(b"bin/busybox\0") + 2
    program = tmp_path_factory.mktemp("busybox") / "busybox"
    program.write_bytes(archive[content : content + size])
    program.chmod(0o755)
    return program


@pytest.fixture(scope="session")
def read(busybox):
    def run(archive, *options, **where):
        line = [busybox, "cpio", *options]
        done = subprocess.run(line, input=archive, capture_output=True, check=True, **where)  # noqa: S603  # our own words
        return done.stdout.decode().splitlines()

    return run


def test_a_record_is_what_the_kernel_documents():
    """Byte by byte, after the kernel's driver-api/early-userspace/buffer-format."""
    archive = cpio.pack([cpio.file("hi", b"hello")])

    assert archive[:124].decode() == (
        "070701"
        "00000001"  # inode
        "000081A4"  # a file, rw-r--r--
        "0000000000000000"  # of root
        "00000001"  # links
        "00000000"  # long ago
        "00000005"  # bytes
        "00000000000000000000000000000000"  # devices
        "00000003"  # length of the name
        "00000000"  # no checksum
        "hi\0\0\0\0"
        "hello\0\0\0"
    )
    assert archive.endswith(b"TRAILER!!!\0\0\0\0")


def test_everything_is_roots_whoever_packs(read):
    archive = cpio.pack(
        [
            cpio.directory("tmp"),
            cpio.file("etc/issue", b"welcome"),
            cpio.file("init", b"#!", executable=True),
            cpio.symlink("bin", "usr/bin"),
            cpio.character_device("dev/console", 5, 1),
        ]
    )

    lines = [line.split() for line in read(archive, "-itv")]

    assert [(words[0], words[1], words[-1]) for words in lines] == [
        ("lrwxrwxrwx", "0/0", "usr/bin"),
        ("drwxr-xr-x", "0/0", "dev"),
        ("crw-------", "0/0", "dev/console"),
        ("drwxr-xr-x", "0/0", "etc"),
        ("-rw-r--r--", "0/0", "etc/issue"),
        ("-rwxr-xr-x", "0/0", "init"),
        ("drwxr-xr-x", "0/0", "tmp"),
    ]


def test_what_is_unpacked_is_what_was_packed(read, tmp_path):
    contents = {f"d/{size}": bytes(range(256)) * 20 + b"x" * size for size in range(5)}
    archive = cpio.pack([*(cpio.file(path, content) for path, content in contents.items()), cpio.symlink("l", "d/3")])

    read(archive, "-id", cwd=tmp_path)

    assert {path: (tmp_path / path).read_bytes() for path in contents} == contents
    assert (tmp_path / "l").readlink().as_posix() == "d/3"


@settings(max_examples=25, deadline=None)
@given(paths=st.sets(_PATHS, min_size=1))
def test_each_directory_comes_before_what_it_holds(read, paths):
    """The kernel makes no directories on the way to a file."""
    listed = read(cpio.pack([cpio.directory(path) for path in paths]), "-it")

    assert set(listed) >= paths
    assert len(listed) == len(set(listed))
    for index, path in enumerate(listed):
        assert "/" not in path or path.rpartition("/")[0] in listed[:index]


def test_the_order_of_entries_does_not_change_the_archive():
    entries = [cpio.file("b", b"1"), cpio.directory("a", 0o700), cpio.file("a/c", b"2")]

    assert cpio.pack(entries) == cpio.pack(reversed(entries))


def test_of_two_entries_with_one_path_the_later_counts():
    assert cpio.pack([cpio.file("a", b"1"), cpio.file("a", b"2")]) == cpio.pack([cpio.file("a", b"2")])


def test_a_named_directory_keeps_its_permissions(read):
    archive = cpio.pack([cpio.file("root/secret", b""), cpio.directory("root", 0o700)])

    assert read(archive, "-itv")[0].startswith("drwx------")


@pytest.mark.parametrize("path", ["", ".", "/etc", "../etc", "a/../b", "a/", "a//b", "./a", "a\0b"])
def test_a_path_that_would_lie_elsewhere_is_refused(path):
    with pytest.raises(ValueError, match="not a path inside the archive"):
        cpio.file(path, b"")


def test_a_device_has_its_numbers():
    entry = cpio.character_device("tty1", 4, 1, permissions=0o620)

    assert stat.S_ISCHR(entry.mode)
    # First the numbers of the device that holds it, which are not used; then those of the device that it is.
    assert cpio.pack([entry])[62:94] == b"00000000000000000000000400000001"
