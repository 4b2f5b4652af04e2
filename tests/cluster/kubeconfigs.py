"""Kubeconfigs as people have them."""

import yaml


def write_kubeconfig(path, control_plane, users, *, current=None, contexts=None, **cluster):
    """Write a file with a context for each user, of the user's name; give its path."""
    cluster = {"server": control_plane.url, "certificate-authority": str(control_plane.certificate), **cluster}
    contexts = contexts or {}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {key: value for key, value in cluster.items() if value}}],
        "users": [{"name": name, "user": user} for name, user in users.items()],
        "contexts": [
            {"name": name, "context": {"cluster": "test", "user": name, **contexts.get(name, {})}} for name in users
        ],
        **({"current-context": current} if current else {}),
    }
    path.write_text(yaml.safe_dump(config))
    return str(path)
