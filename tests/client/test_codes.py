"""The client knows the codes that the API's page lists, and its own page lists what it raises."""

import re
from pathlib import Path

import pytest

from vmpool_ext import client
from vmpool_ext.client.errors import error_class

DOCS = Path(__file__).parents[2] / "docs"
OURS_TO_AVOID = {"unexpected-body", "bad-json", "bad-request", "method-not-allowed"}
"""What would be a mistake of the client itself."""


def codes_of_refusals():
    """Those of the table of statuses below 500."""
    table = (DOCS / "api.md").read_text().split("| status | codes |")[1]
    rows = re.findall(r"^\| (4\d\d) \| (.*) \|$", table, re.MULTILINE)
    return sorted({code for _, codes in rows for code in re.findall(r"`([a-z-]+)`", codes)} - OURS_TO_AVOID)


@pytest.mark.parametrize("code", codes_of_refusals())
def test_every_refusal_of_the_api_has_a_class_of_its_own(code):
    """So that it can be caught alone."""
    assert error_class(code).kind == code


def codes_of_faults():
    """Those that the page gives for the fault of a VM."""
    (row,) = re.findall(r"^\| `fault` \| (.*)$", (DOCS / "api.md").read_text(), re.MULTILINE)
    return re.findall(r'"([a-z-]+)"', row.replace('"code"', "").replace('"message"', ""))


@pytest.mark.parametrize("code", codes_of_faults())
def test_every_fault_of_a_vm_has_a_class_of_its_own(code):
    """They are raised by whoever waits for the VM."""
    assert error_class(code).kind == code


def test_every_error_is_documented():
    """With when it comes."""
    page = (DOCS / "notebooks.md").read_text()
    kinds = [getattr(client, name) for name in client.__all__]
    errors = [kind.__name__ for kind in kinds if isinstance(kind, type) and issubclass(kind, Exception)]

    assert errors
    assert [name for name in errors if f"`{name}`" not in page] == []
