"""Resources judged by their schemas, and filled in from them, as an API server does it."""

from __future__ import annotations

import re
from copy import deepcopy
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator, ValidationError, validators

from vmpool_ext.backends.manifests import crds
from vmpool_ext.backends.manifests.violations import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vmpool_ext.backends.manifests.violations import Path

    Schema = Mapping[str, Any]
    Errors = Iterator[ValidationError]

_OPEN = "x-kubernetes-preserve-unknown-fields"

_TEXT: Schema = {"type": "string"}
_TEXTS: Schema = {"type": "object", "additionalProperties": _TEXT}
_METADATA: Schema = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": _TEXT,
        "namespace": _TEXT,
        "labels": _TEXTS,
        "annotations": _TEXTS,
        # Written by an API server; read and let go, so that what one gave can be applied here.
        **{name: {} for name in ("creationTimestamp", "deletionTimestamp", "resourceVersion", "uid", "selfLink")},
        **{name: {} for name in ("generation", "deletionGracePeriodSeconds", "managedFields")},
        **{name: {} for name in ("ownerReferences", "finalizers", "generateName")},
    },
}

_CALLED = {
    "string": "a text",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}


def kinds() -> list[str]:
    """Name what can be defined."""
    return list(_schemas())


def wrong_fields(resource: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Tell each field that a resource of a known kind may not have, or not so, and what to do."""
    schema = _schemas()[resource["kind"]]
    yield from _unknown_fields(resource, schema, ())
    for error in _Validator(schema).iter_errors(with_defaults(resource)):
        yield tuple(error.absolute_path), error.message


def with_defaults(resource: Mapping[str, Any]) -> dict[str, Any]:
    """Give the resource as an API server keeps it: nulls are not there, and what is not there has its default."""
    schema = _schemas()[resource["kind"]]
    return dict(_filled(resource, schema))


@cache
def _schemas() -> dict[str, Schema]:
    return {each["spec"]["names"]["kind"]: _of_whole_resource(crds.schema_of(each)) for each in crds.definitions()}


def _of_whole_resource(schema: Schema) -> Schema:
    version = {"type": "string", "enum": [crds.GROUP_VERSION]}
    # What happened to a VM is not for a file to say: it is let go, like that of a resource with a status of its own.
    own = {"apiVersion": version, "kind": _TEXT, "metadata": _METADATA, "status": {_OPEN: True}}
    return {**schema, "required": ["apiVersion", "metadata"], "properties": {**schema["properties"], **own}}


def _filled(value: Any, schema: Schema) -> Any:
    if isinstance(value, dict) and "properties" in schema:
        properties = schema["properties"]
        there = {key: inner for key, inner in value.items() if inner is not None or key not in properties}
        missing = {key: deepcopy(inner["default"]) for key, inner in properties.items() if "default" in inner}
        return {key: _filled(inner, properties.get(key, {})) for key, inner in {**missing, **there}.items()}
    if isinstance(value, list) and "items" in schema:
        return [_filled(item, schema["items"]) for item in value]
    return deepcopy(value)


def _unknown_fields(value: Any, schema: Schema, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unknown_fields(item, schema.get("items", {}), (*path, index))
    known = schema.get("properties")
    if not isinstance(value, dict) or known is None:
        return
    for key, inner in value.items():
        if key in known:
            yield from _unknown_fields(inner, known[key], (*path, key))
        elif not schema.get(_OPEN):
            yield (*path, key), _unknown(key, known)


def _unknown(key: str, known: Mapping[str, Any]) -> str:
    near = get_close_matches(key[:64], known, n=1)
    advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}."
    return f"unknown field {shown(key)}: {advice}"


def _type(validator: Any, wanted: str, instance: Any, _: Schema) -> Errors:
    if not validator.is_type(instance, wanted):
        scalar = isinstance(instance, bool | int | float)
        advice = "put it in quotes" if wanted == "string" and scalar else f"write {_CALLED[wanted]}"
        yield ValidationError(f"{shown(instance)} is not {_CALLED[wanted]}: {advice}.")


def _enum(_: Any, words: list[str], instance: Any, __: Schema) -> Errors:
    if isinstance(instance, str) and instance not in words:
        yield ValidationError(
            f"{shown(instance)} is not known here: write {'one of ' * (len(words) > 1)}{', '.join(words)}."
        )


def _required(_: Any, names: list[str], instance: Any, schema: Schema) -> Errors:
    for name in names if isinstance(instance, dict) else ():
        if name not in instance:
            about = schema["properties"].get(name, {}).get("description")
            yield ValidationError(f"{name} is missing: add it" + (f" ({about})." if about else "."))


def _one_of(_: Any, branches: list[Schema], instance: Any, __: Schema) -> Errors:
    names = [branch["required"][0] for branch in branches]
    given = [name for name in names if isinstance(instance, dict) and name in instance]
    if isinstance(instance, dict) and len(given) != 1:
        advice = "both are there, remove one" if given else "add one"
        yield ValidationError(f"exactly one of {' and '.join(names)} is wanted: {advice}.")


def _pattern(_: Any, pattern: str, instance: Any, schema: Schema) -> Errors:
    if isinstance(instance, str) and not re.search(pattern, instance):
        yield ValidationError(f"{shown(instance)} cannot be read: write {schema['description']}.")


_Validator = validators.extend(
    Draft202012Validator,
    {"type": _type, "enum": _enum, "required": _required, "oneOf": _one_of, "pattern": _pattern},
)
"""The same verdicts, in our words."""
