"""What the service does. There is no secret in it, and it needs none: whoever asks brings a token, which the hub knows."""  # noqa: INP001  # a file of its own

c = get_config()  # noqa: F821  # Jupyter gives it

c.VmPoolService.backend_class = "vmpool_ext.backends.kubernetes.backend.KubernetesBackend"
