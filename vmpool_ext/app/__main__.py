"""``python -m vmpool_ext.app``: as ``jupyter vmpool``, wherever that is on no path."""

from vmpool_ext.app import main

main()
