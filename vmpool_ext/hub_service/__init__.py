"""Root 3: the service of a JupyterHub, which decides for all users, and holds the credential."""
