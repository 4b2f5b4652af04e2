"""Where VMs live: each package implements `vmpool_ext.broker.ports.Backend`."""
