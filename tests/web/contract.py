"""openapi.yaml as an oracle: what it promises, and whether an answer keeps it."""

import json
import re
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

FILE = Path(__file__).parents[2] / "vmpool_ext" / "web" / "openapi.yaml"
DOCUMENT = yaml.safe_load(FILE.read_text())
METHODS = ("get", "head", "post", "put", "patch", "delete")
EVERYWHERE = {405: "method-not-allowed", 404: "not-found", 401: "unauthenticated", 403: "forbidden", 400: "bad-request"}
"""What may be answered where the contract has no such address or method: the text at its top says so."""
READERS = {"application/json": json.loads, "application/yaml": yaml.safe_load}

_HERE = "urn:contract"
_REGISTRY = Registry().with_resource(_HERE, DRAFT202012.create_resource(DOCUMENT))


def operations():
    """Give every operation by method and address."""
    return {
        (method.upper(), address): operation
        for address, item in DOCUMENT["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


def find(method, path):
    """Give the operation that an address below vmpool/api/v1/ is promised by, or None."""
    bare = "/" + path.split("?")[0]
    for (taken, address), operation in operations().items():
        if taken == method and re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(address)), bare):
            return operation
    return None


def resolved(part):
    """Give what a reference stands for."""
    while "$ref" in part:
        found = DOCUMENT
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        part = found
    return part


def validator(schema):
    """Judge by a schema of the contract, formats included."""
    return Draft202012Validator(
        {"$id": _HERE + ":part", **_absolute(schema)},
        registry=_REGISTRY,
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )


def component(name):
    """Judge by one of the named schemas."""
    return validator({"$ref": f"#/components/schemas/{name}"})


def require_kept(method, path, response):
    """Raise where an answer is not what the contract promises of its address."""
    operation = find(method, path)
    if operation is None:
        _require_refused(method, response)
        return
    promised = operation["responses"].get(str(response.code))
    assert promised, f"{method} {path}: {response.code} is not in the contract"
    promised = resolved(promised)
    _require_headers(promised, response)
    _require_body(promised, response)


def _require_refused(method, response):
    assert response.code in EVERYWHERE
    if method == "HEAD":
        assert response.body == b""
        return
    body = json.loads(response.body)
    component("Error").validate(body)
    assert body["code"] == EVERYWHERE[response.code]


def _require_headers(promised, response):
    for name, header in ((name, resolved(each)) for name, each in promised.get("headers", {}).items()):
        if name in response.headers:
            text = response.headers[name]
            number = header["schema"].get("type") == "integer"
            validator(header["schema"]).validate(int(text) if number else text)
        else:
            assert not header.get("required"), name


def _require_body(promised, response):
    if "content" not in promised:
        assert response.body == b""
        return
    ((media_type, content),) = promised["content"].items()
    assert response.headers["Content-Type"] == media_type
    validator(content["schema"]).validate(READERS[media_type](response.body))


def _absolute(schema):
    """Write references so that they hold outside of the document too."""
    if isinstance(schema, dict):
        return {key: _HERE + value if key == "$ref" else _absolute(value) for key, value in schema.items()}
    return [_absolute(each) for each in schema] if isinstance(schema, list) else schema
