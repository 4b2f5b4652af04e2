"""Values as JSON: names in camelCase as in the CRDs, times as ISO 8601 in UTC."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import Any

from vmpool_ext.web.errors import BadJson, UnexpectedBody

_LONGEST_EMPTY = 1024
"""Bytes: more cannot be nothing, and is not parsed to find out."""


def to_json(value: Any) -> Any:
    """Give what `json` can write of a view."""
    if is_dataclass(value):
        return {_camel(field.name): to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: to_json(each) for key, each in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_json(each) for each in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value


def require_empty(body: bytes) -> None:
    """Refuse a body that says something: no act takes arguments, and what is not read must not be sent in vain."""
    if len(body) > _LONGEST_EMPTY or (body and _parse(body) != {}):
        raise UnexpectedBody


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadJson from error


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(each.capitalize() for each in others)
