"""Names that are safe wherever they are written to (R12)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmpool_ext.domain.errors import UnusableName
from vmpool_ext.domain.user import User

HARMFUL = set("\"'\\\n\r\t\0 /,;:=$`&|<>(){}[]*?!#%^~")


@given(st.text())
def test_a_name_is_refused_or_can_break_nothing(name):
    try:
        user = User(name)
    except UnusableName:
        return
    assert not HARMFUL & set(user.name)
    assert user.name[0] not in "-.+@"
    assert 1 <= len(user.name) <= 64


@pytest.mark.parametrize("name", ["ann", "Ann.B", "ann@example.org", "_ann-1", "a" * 64, "ann+lab", "7"])
def test_names_that_hubs_give_are_usable(name):
    assert User(name).name == name


@pytest.mark.parametrize("name", ["", "a" * 65, "-ann", ".ann", "ann b", "ann\n", "änn", 'ann"', "../ann", "a/b"])
def test_names_that_could_break_something_are_not(name):
    with pytest.raises(UnusableName):
        User(name)


def test_a_long_name_is_cut_in_the_refusal():
    with pytest.raises(UnusableName) as refusal:
        User("!" * 10_000)

    assert len(str(refusal.value)) < 200


@given(st.text() | st.from_regex(r"[a-zA-Z0-9_.@-]{1,40}", fullmatch=True))
def test_a_name_that_can_log_in_is_one_that_every_linux_would_take(name):
    """As useradd's own page says: lower case, not beginning with a digit or a dash, at most 32."""
    try:
        user = User(name)
    except UnusableName:
        return
    letters = set("abcdefghijklmnopqrstuvwxyz")
    usual = set(name) <= letters | set("0123456789_.-") and name[0] in letters | {"_"} and len(name) <= 32

    assert user.can_log_in == (usual and name != "root")
