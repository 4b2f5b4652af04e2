"""What is wrong with a value by its schema, in words of ours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator, ValidationError, validators

from vmpool_ext.backends.manifests.violations import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Schema = Mapping[str, Any]
    Errors = Iterator[ValidationError]

_CALLED = {
    "string": "a text",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}


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


Validator = validators.extend(
    Draft202012Validator,
    {"type": _type, "enum": _enum, "required": _required, "oneOf": _one_of, "pattern": _pattern},
)
"""The same verdicts, in our words."""
