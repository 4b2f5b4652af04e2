"""The file that virt-viewer opens a console with: what is read from it is what was meant (P7)."""

import configparser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmpool_ext.domain.connection_file import MEDIA_TYPE, DisplayAddress, UnwritableConnection, connection_file

texts = st.text() | st.text(st.sampled_from("ab=[];#%:\\ \t\r\n\x85\u2028\0"), max_size=12)


def _read(content):
    """Read as a key file is read: one value a line, everything after the first equals sign."""
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=(), strict=True)
    parser.read_string(content)
    return parser


@given(texts, texts, texts, st.integers(1, 65535))
def test_what_is_read_back_is_what_was_written_or_nothing_is_written(host, password, proxy, port):
    try:
        file = connection_file("vm1", DisplayAddress(host, port, proxy), password)
    except UnwritableConnection:
        return
    expected = {"type": "spice", "host": host, "port": str(port), "delete-this-file": "1"}
    optional = {"password": password, "proxy": proxy}

    parser = _read(file.content)
    assert parser.sections() == ["virt-viewer"]
    assert dict(parser["virt-viewer"]) == {**expected, **{key: text for key, text in optional.items() if text}}
    assert len(file.content.splitlines()) == len(file.content.split("\n")) - 1, "no value adds a line for any reader"


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="\\"), min_size=1))
def test_every_usual_password_can_be_written(password):
    """Liveness: not everything is refused."""
    file = connection_file("vm1", DisplayAddress("10.0.0.1", 5900), password)

    assert _read(file.content)["virt-viewer"]["password"] == password


@pytest.mark.parametrize(
    "text", ["fish\nproxy=evil", "fish\r", "fish\\n", " fish", "fish ", "fish\0", "fi\x85sh", "fi\u2028sh"]
)
def test_what_could_be_read_as_something_else_is_refused_by_name_and_without_its_value(text):
    with pytest.raises(UnwritableConnection, match="password") as refusal:
        connection_file("vm1", DisplayAddress("10.0.0.1", 5900), text)

    assert text not in str(refusal.value)


def test_the_file_is_named_after_the_vm_and_no_secret_is_in_its_repr():
    file = connection_file("vm1", DisplayAddress("10.0.0.1", 5900), "swordfish")

    assert (file.name, file.type) == ("vm1.vv", MEDIA_TYPE)
    assert "swordfish" not in repr(file)
