"""What grants allow (R6, R7, P3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import a_user
from tests.strategies import ROLES, USERS, grants
from vmpool_ext.domain.errors import InvalidDefinition
from vmpool_ext.domain.permission import Grant, Permission, parse_permissions, permissions_for

users = st.builds(a_user, st.sampled_from(USERS), st.sampled_from(ROLES))


@given(users, st.lists(grants), grants)
def test_a_further_grant_takes_nothing_away(user, some, further):
    assert permissions_for(user, some) <= permissions_for(user, [*some, further])


@given(st.sampled_from(USERS), st.lists(grants))
def test_a_role_takes_nothing_away(name, some):
    assert permissions_for(a_user(name), some) <= permissions_for(a_user(name, *ROLES), some)


@given(st.lists(grants))
def test_grants_for_others_give_nothing(some):
    assert permissions_for(a_user("nobody", "no-role"), some) == frozenset()


def test_a_user_named_like_a_role_has_not_that_role():
    assert not permissions_for(a_user("student"), [Grant(frozenset(Permission), role="student")])
    assert not permissions_for(a_user("ann", "bob"), [Grant(frozenset(Permission), user="bob")])


def test_a_star_is_every_permission():
    assert parse_permissions(["*"]) == {"start", "stop", "reset", "accessConsole", "takeConsole"}


def test_who_may_take_a_console_may_open_one():
    assert parse_permissions(["takeConsole"]) == {Permission.TAKE_CONSOLE, Permission.ACCESS_CONSOLE}


def test_an_unknown_word_is_refused_by_name():
    with pytest.raises(InvalidDefinition, match="fly"):
        parse_permissions(["start", "fly"])


@pytest.mark.parametrize("names", [{}, {"user": "ann", "role": "student"}])
def test_a_grant_is_for_exactly_one_of_user_and_role(names):
    with pytest.raises(InvalidDefinition):
        Grant(frozenset(), **names)
