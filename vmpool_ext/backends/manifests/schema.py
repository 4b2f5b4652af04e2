"""Resources judged by their schemas, and filled in from them, as an API server does it."""

from __future__ import annotations

from copy import deepcopy
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any

from vmpool_ext.backends.manifests import crds
from vmpool_ext.backends.manifests.violations import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vmpool_ext.backends.manifests.violations import Path

    Schema = Mapping[str, Any]

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


def kinds() -> list[str]:
    """Name what can be defined."""
    return list(_schemas())


def wrong_fields(resource: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Tell each field that a resource of a known kind may not have, or not so, and what to do."""
    schema = _schemas()[resource["kind"]]
    yield from _unknown_fields(resource, schema, ())
    # Seconds to import where all that jsonschema can use is there, as in every Jupyter: only who defines something waits.
    from vmpool_ext.backends.manifests.validator import Validator  # noqa: PLC0415

    for error in Validator(schema).iter_errors(with_defaults(resource)):
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
