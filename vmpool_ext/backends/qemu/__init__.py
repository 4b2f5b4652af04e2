"""VMs on one machine: definitions and assignments in SQLite, one QEMU process for each VM that runs."""
