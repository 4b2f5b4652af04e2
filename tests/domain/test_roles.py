"""Which roles somebody has by what the hub says, and by what its administrator has configured."""

import pytest

from vmpool_ext.domain.errors import UnusableName
from vmpool_ext.domain.roles import RoleRules


def roles(rules, *groups, name="ann"):
    return set(rules.user(name, groups, admin=False).roles)


def test_a_group_is_the_role_of_its_name_where_nothing_else_is_said():
    assert roles(RoleRules(), "lab", "/vm/ops") == {"lab", "/vm/ops"}


def test_where_groups_are_mapped_those_that_are_not_give_no_role():
    rules = RoleRules(by_group={"/school/cs": ["student", "guest"], "/staff": ["teacher"]})

    assert roles(rules, "/school/cs", "student", "teacher") == {"student", "guest"}


def test_a_user_has_roles_of_their_own_and_those_of_everybody():
    rules = RoleRules(by_user={"ann": ["tutor"], "*": ["member"]})

    assert roles(rules, "lab") == {"lab", "tutor", "member"}
    assert roles(rules, name="bob") == {"member"}


def test_nobody_is_everybody_by_their_name():
    with pytest.raises(UnusableName):
        RoleRules().user("*", (), admin=False)


@pytest.mark.parametrize(
    ("rules", "groups", "admin", "administrates"),
    [
        (RoleRules(), [], True, True),
        (RoleRules(), ["staff"], False, False),
        (RoleRules(hub_admins=False), [], True, False),
        (RoleRules(administrator_groups=["staff"]), ["staff"], False, True),
        (RoleRules(administrator_groups=["staff"], by_group={"staff": []}), ["staff"], False, True),
    ],
)
def test_administrators_are_those_of_the_hub_and_of_the_groups_that_are_named(rules, groups, admin, administrates):
    assert rules.user("ann", groups, admin=admin).administrator is administrates
