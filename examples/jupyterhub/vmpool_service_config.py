"""What the service of examples/jupyterhub does; docs/jupyterhub.md has all options."""  # noqa: INP001  # a file of its own

c = get_config()  # noqa: F821  # Jupyter gives it

# VMs of this machine, which is the default; for those of a cluster: docs/kubernetes.md has the lines.
c.QemuBackend.stop_vms_on_exit = True

# A group of the hub is the role of its name, where nothing else is said here. Roles by user, `*` for everybody:
c.VmPoolService.roles_by_user = {"*": ["member"]}
