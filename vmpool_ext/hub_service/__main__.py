"""``python -m vmpool_ext.hub_service``: as a JupyterHub names it in its services."""

from vmpool_ext.hub_service.service import main

main()
