"""What examples/kubernetes has, applied as people apply it."""

import os
import secrets
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "kubernetes"


def overlay(folder, namespace, *parts):
    """Make a kustomization that has parts of the examples in another namespace; give its folder."""
    made = folder / f"overlay-{secrets.token_hex(4)}"
    made.mkdir()
    bases = [os.path.relpath((EXAMPLES / part).resolve(), made.resolve()) for part in parts]
    (made / "kustomization.yaml").write_text(yaml.safe_dump({"namespace": namespace, "resources": bases}))
    return str(made)


def said_by(control_plane, part):
    """Give what a part of the examples amounts to."""
    return list(yaml.safe_load_all(control_plane.kubectl("kustomize", str(EXAMPLES / part))))
