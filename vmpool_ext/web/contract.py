"""The contract of the API as it is told: `openapi.yaml` beside this file."""

from __future__ import annotations

from importlib.resources import files

MEDIA_TYPE = "application/yaml"
"""RFC 9512."""

# Read once, and not while others wait for an answer.
CONTRACT = (files(__package__) / "openapi.yaml").read_text(encoding="utf-8")
