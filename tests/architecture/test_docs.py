"""What the documentation says is so."""

import inspect
import re
from dataclasses import fields
from pathlib import Path

import pytest

from vmpool_ext.broker import views
from vmpool_ext.broker.consoles import ConsoleOffer
from vmpool_ext.domain import errors
from vmpool_ext.hub_service.service import VmPoolService
from vmpool_ext.server_extension import VmPoolExtension
from vmpool_ext.web import errors as web_errors
from vmpool_ext.web.relay import DISPLAY_ENDED, NOT_YOURS, TICKET_NOT_GOOD
from vmpool_ext.web.routes import ACTIONS, PREFIX, ROUTES
from vmpool_ext.wiring import Deciding

ROOT = Path(__file__).parents[2]
API = (ROOT / "docs" / "api.md").read_text()
INTERNAL = {"conflict", "unavailable", "invalid-definition", "invalid-retention", "invalid-ticket"}
"""Codes that no caller of the API ever sees: of the ticket the socket's code tells."""


def codes():
    for module in (errors, web_errors):
        for _, error in inspect.getmembers(module, inspect.isclass):
            if issubclass(error, errors.VmPoolError) and error.code not in INTERNAL:
                yield error.code


@pytest.mark.parametrize("code", sorted(set(codes())))
def test_every_code_of_an_error_is_documented(code):
    assert f"`{code}`" in API


@pytest.mark.parametrize(
    "view", [views.PoolView, views.VmView, views.OwnVmView, views.Notice, views.Picture, ConsoleOffer]
)
def test_every_field_of_a_view_is_documented(view):
    for field in fields(view):
        first, *others = field.name.split("_")
        name = first + "".join(each.capitalize() for each in others)
        assert re.search(rf'[`"]{name}[`"]', API), name


def test_every_address_is_documented():
    for pattern, _ in ROUTES[:-1]:
        address = pattern.removeprefix(PREFIX + "/").replace("([^/]+)", "{}").replace("\\", "")
        if address.endswith(")"):
            continue
        assert re.sub(r"\{\w+\}", "{}", address) in re.sub(r"\{\w+\}", "{}", API), address
    assert all(f"`{action}`" in API or f"/{action}`" in API for action in ACTIONS)


def test_every_code_of_a_socket_is_documented():
    assert all(str(code) in API for code in (TICKET_NOT_GOOD, NOT_YOURS, DISPLAY_ENDED))


@pytest.mark.parametrize("options", [Deciding, VmPoolExtension, VmPoolService])
def test_every_option_has_help(options):
    own = options.class_own_traits(config=True)

    assert own
    assert all(trait.help for trait in own.values())


def test_every_option_of_the_hubs_service_is_documented():
    page = (ROOT / "docs" / "jupyterhub.md").read_text()

    for option in (*Deciding.class_own_traits(config=True), *VmPoolService.class_own_traits(config=True)):
        assert re.search(rf"^\| [^|]*`{option}`", page, re.MULTILINE), option


@pytest.mark.parametrize("page", sorted(each for each in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]), ids=str)
def test_no_link_of_a_page_is_broken(page):
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_every_decision_is_listed():
    listed = (ROOT / "docs" / "adr" / "README.md").read_text()

    assert all(each.name in listed for each in (ROOT / "docs" / "adr").glob("0*.md"))


def test_every_command_of_the_readme_is_one_of_the_makefiles():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", (ROOT / "README.md").read_text(), re.MULTILINE)) <= targets
