"""Resources written as YAML, so that reading it gives the same."""

from __future__ import annotations

import re
from typing import Any

import yaml

from vmpool_ext.backends.manifests.nodes import LOOKS


class _Dumper(yaml.SafeDumper):
    """Puts a text in quotes where it would look like something else, to PyYAML, to kubectl or to us."""

    def ignore_aliases(self, _: Any) -> bool:
        """Write all of it, every time."""
        return True


for _tag, _look in LOOKS.items():
    _Dumper.add_implicit_resolver(_tag, re.compile(_look + r"\Z"), None)


def write(value: Any) -> str:
    """Write one document."""
    return yaml.dump(value, Dumper=_Dumper, width=120)
