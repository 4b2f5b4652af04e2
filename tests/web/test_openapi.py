"""openapi.yaml promises what there is: every address, method, status and code, and nothing else."""

import json
import re
from http import HTTPStatus
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator
from tornado.web import RequestHandler

from tests.web.contract import DOCUMENT, FILE, METHODS, component, operations, resolved, validator
from vmpool_ext.backends.qemu.backend import CHRONICLE_BEHIND
from vmpool_ext.backends.qemu.holder import IN_USE
from vmpool_ext.broker.inventory import LOADING
from vmpool_ext.domain import connection_file, errors
from vmpool_ext.domain.machine import MachineState
from vmpool_ext.domain.permission import Permission
from vmpool_ext.web import errors as web_errors
from vmpool_ext.web.errors import body_of, status_of
from vmpool_ext.web.routes import NAME, PREFIX, ROUTES

SCHEMAS = DOCUMENT["components"]["schemas"]
NEVER_TOLD = {"conflict", "unavailable", "invalid-definition", "invalid-retention"}
"""Codes of errors that end inside."""
TOLD_OTHERWISE = {"already-running", "invalid-ticket"}
"""Codes that no answer has: one stands in views only, of the other the socket's code tells."""
API_MD = (Path(__file__).parents[2] / "docs" / "api.md").read_text()


def _templates(pattern):
    """Write the addresses of a route as OpenAPI does."""
    path = pattern.removeprefix(PREFIX).replace("\\", "")
    kind = "pool" if path.startswith("/pools") else "vm"
    path = path.replace(NAME, f"{{{kind}}}")
    actions = re.search(r"\(([\w|]+)\)$", path)
    return [path[: actions.start()] + each for each in actions[1].split("|")] if actions else [path]


def _taken(handler):
    """Tell which methods a handler has of its own; OPTIONS is Jupyter Server's, on every address alike."""
    return [each.upper() for each in METHODS if getattr(handler, each) is not getattr(RequestHandler, each)]


def _served():
    *routes, _everything_else = ROUTES
    return {(method, path) for pattern, of in routes for path in _templates(pattern) for method in _taken(of)}


def test_every_address_and_method_is_promised_and_every_promise_is_an_address():
    assert set(operations()) == _served()


def test_names_in_addresses_are_promised_as_the_routes_take_them():
    for parameter in DOCUMENT["components"]["parameters"].values():
        assert f"({parameter['schema']['pattern'].strip('^$')})" == NAME


def test_the_contract_is_a_good_schema_and_every_reference_leads_somewhere():
    def walk(part):
        if isinstance(part, dict):
            if "$ref" in part:
                assert resolved(part)
            for each in part.values():
                walk(each)
        for each in part if isinstance(part, list) else ():
            walk(each)

    walk(DOCUMENT)
    for schema in SCHEMAS.values():
        Draft202012Validator.check_schema(schema)


def test_every_operation_is_described_named_and_under_a_tag():
    names = [operation["operationId"] for operation in operations().values()]

    assert len(set(names)) == len(names)
    assert all(operation["summary"] for operation in operations().values())
    assert {tag for operation in operations().values() for tag in operation["tags"]} == {
        each["name"] for each in DOCUMENT["tags"]
    }


async def test_the_server_shows_the_contract_that_it_keeps(bare_fetch, jp_auth_header):
    response = await bare_fetch("vmpool/api/v1/openapi.yaml", headers=jp_auth_header)

    assert (response.code, response.headers["Content-Type"]) == (200, "application/yaml")
    assert response.body == FILE.read_bytes()
    assert yaml.safe_load(response.body)["servers"][0]["url"] == ".", "the addresses are where this file is"


@pytest.mark.parametrize("path", ["me", "health", "openapi.yaml", "pools", "pools/demo", "vms"])
async def test_what_has_not_changed_is_not_sent_again(bare_fetch, jp_auth_header, path):
    first = await bare_fetch(f"vmpool/api/v1/{path}", headers=jp_auth_header)
    seen = {**jp_auth_header, "If-None-Match": first.headers["ETag"]}

    again = await bare_fetch(f"vmpool/api/v1/{path}", headers=seen)

    assert (again.code, again.body) == (304, b"")


@pytest.mark.parametrize("address", sorted(DOCUMENT["paths"]))
async def test_a_method_that_an_address_does_not_take_is_refused_with_those_that_it_takes(
    bare_fetch, jp_auth_header, address
):
    path = f"vmpool/api/v1{address.replace('{pool}', 'demo').replace('{vm}', 'own-1')}"
    taken = {method for method, of in operations() if of == address}
    for method in {each.upper() for each in METHODS} - taken:
        response = await bare_fetch(path, method, jp_auth_header)

        assert response.code == 405, method
        assert set(response.headers["Allow"].split(", ")) - {"OPTIONS"} == taken
        assert method == "HEAD" or json.loads(response.body)["code"] == "method-not-allowed"


def _leaves(kind=errors.VmPoolError):
    """Give every error that may be told, those of the backends' commands aside."""
    modules = {errors.__name__, web_errors.__name__, connection_file.__name__}
    for each in kind.__subclasses__():
        yield from _leaves(each)
        if each.__module__ in modules and "code" in vars(each) and each.code not in NEVER_TOLD | TOLD_OTHERWISE:
            yield each


def _problem_codes():
    return {LOADING, IN_USE, CHRONICLE_BEHIND, errors.BackendUnavailable("").code, errors.VmPoolError.code}


def _codes_by_status():
    """Give what errors there are, by the status that tells of them."""
    found = {503: set(_problem_codes())}
    for error in _leaves():
        found.setdefault(int(status_of(error())), set()).add(error.code)
    for status in HTTPStatus:
        if status in (400, 401, 403, 404, 405, 500):
            found.setdefault(int(status), set()).add(body_of(None, status)["code"])
    return found


def _promised_codes():
    """Give what codes the answers to the operations may have, by status."""
    promised = {}
    for operation in operations().values():
        for status, response in operation["responses"].items():
            content = resolved(response).get("content", {}).get("application/json")
            if content and int(status) >= 400:
                judge = validator(content["schema"])
                told = {code for code in SCHEMAS["ErrorCode"]["enum"] if judge.is_valid(_an_error(code))}
                promised.setdefault(int(status), set()).update(told)
    return promised


def _an_error(code):
    return {"code": code, "message": "Something.", "reason": None}


def test_every_error_is_promised_under_the_status_that_it_has_and_under_no_other():
    codes = _codes_by_status()

    assert codes.pop(405) == {"method-not-allowed"}, "where there is no operation"
    assert _promised_codes() == codes


def test_every_code_of_an_error_is_in_the_contract_and_every_code_there_exists():
    assert set(SCHEMAS["ErrorCode"]["enum"]) == set().union(*_codes_by_status().values())


@pytest.mark.parametrize(
    "error", sorted(set(_leaves()), key=lambda each: each.__name__), ids=lambda each: each.__name__
)
def test_the_body_of_every_error_has_the_one_shape(error):
    component("Error").validate(body_of(error("demo"), status_of(error("demo"))))


def test_the_words_of_the_domain_are_the_words_of_the_contract():
    refusals = {each.code for each in _leaves(errors.Refused)} - {"pool-not-found", "vm-not-found"}

    assert set(SCHEMAS["ReasonCode"]["enum"]) == refusals | {errors.AlreadyRunning.code}
    assert set(SCHEMAS["ProblemCode"]["enum"]) == _problem_codes()
    assert set(SCHEMAS["Permission"]["enum"]) == set(Permission)
    assert set(SCHEMAS["VmState"]["enum"]) == set(MachineState)


def test_the_page_for_people_has_the_same_codes_under_the_same_statuses():
    rows = re.findall(r"^\| (\d{3}) \| (.*) \|$", API_MD.split("## Errors")[1], re.MULTILINE)
    codes = {int(status): set(re.findall(r"`([a-z-]+)`", told)) for status, told in rows}

    assert codes == _codes_by_status()
